"""A project to import local documents into."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import JsonValue

from partywall.client.api import Api
from partywall.client.document_import import (
    Import,
    ImportCounts,
    LocalDocument,
    Outcome,
    SourceFile,
    UnreadableFile,
    known_documents,
)
from partywall.client.document_import.existing import ExistingDocument, find_known


def text(name: str, content: str) -> LocalDocument:
    return LocalDocument(name, name, content, hashlib.sha256(content.encode()).hexdigest())


def page(name: str, body: str) -> LocalDocument:
    return uploaded(name, f"<title>{name}</title><p>{body}</p>".encode())


def uploaded(name: str, source: bytes) -> LocalDocument:
    """Its file is in the working directory."""
    digest = hashlib.sha256(source).hexdigest()
    path = Path(digest)
    path.write_bytes(source)
    with path.open("rb") as file:
        return LocalDocument(name, "", "", digest, upload=SourceFile.of(path, file))


@dataclass
class Target:
    """A project to import into, and the messages that the import printed."""

    api: Api
    id: str
    failures: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def run(
        self,
        *documents: LocalDocument | UnreadableFile,
        known: dict[str, ExistingDocument] | None = None,
        metadata: dict[str, JsonValue] | None = None,
        root: str | None = None,
        replace: bool = False,
        planned: Callable[[Outcome, str], None] | None = None,
        renamable: dict[tuple[str, str], ExistingDocument] | None = None,
    ) -> tuple[int, int, int, int]:
        known = known_documents(self.api, self.id) if known is None else known
        counts = ImportCounts()
        importer = Import(self.api, self.id, known, self._record, metadata or {}, root, replace, planned, counts)
        importer.warned = self.warnings.append
        importer.renamable = renamable or {}
        importer.run(documents)
        assert counts.done == len(documents)
        return counts.sent, counts.changed, counts.unchanged, len(counts.failed)

    def _record(self, _tally: ImportCounts, failure: str | None) -> None:
        if failure is not None:
            self.failures.append(failure)

    def document(self, external_id: str) -> dict[str, JsonValue]:
        known = find_known(self.api, self.id, external_id)
        assert known is not None
        found: dict[str, JsonValue] = json.loads(self.api.get(f"/projects/{self.id}/documents/{known.id}"))
        return found
