from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Final

from pydantic import BaseModel, ConfigDict, JsonValue

from partywall.client.api import Api
from partywall.client.document_import.existing import SOURCE_ROOT, SOURCE_SHA256, ExistingDocument, find_known
from partywall.client.document_import.files import LocalDocument, UnreadableFile
from partywall.client.errors import ApiError
from partywall.formats.file_kinds import media_type_by_name

BATCH_DOCUMENTS: Final = 200
BATCH_CHARACTERS: Final = 2_000_000
# What a server accepts unless it is configured otherwise; a dry run cannot ask it.
DEFAULT_UPLOAD_BYTES: Final = 25 * 1024 * 1024
# A retry would fail as well: the user must log in, get a right, or check the server.
HOPELESS: Final = {401, 403, 404}
# This many 5xx answers in a row stop the import: the documents are not the cause.
SERVER_FAILURES: Final = 5
TAKEN: Final = "external_id_taken"
GONE: Final = "document_not_found"
INCOMING: Final = "incoming:"


class Outcome(StrEnum):
    SENT = "sent"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


@dataclass(slots=True)
class ImportCounts:
    sent: int = 0
    changed: int = 0
    unchanged: int = 0
    failed: list[UnreadableFile] = field(default_factory=list)
    blank: list[str] = field(default_factory=list)

    @property
    def done(self) -> int:
        return self.sent + self.changed + self.unchanged + len(self.failed)


@dataclass(slots=True)
class Import:
    """Imports local documents into one project: new ones in batches, changed ones singly, unchanged ones not at all.

    `notify` is called for every document, with the reason if it failed; a refused document does not stop the import.
    `warned` is called with the name of a document without text. `root` is the folder that the documents are from;
    documents of another folder are not overwritten without `replace`. With `planned` nothing is sent: it is called with
    the outcome for each document.
    """

    api: Api
    project_id: str
    known: dict[str, ExistingDocument]
    notify: Callable[[ImportCounts, str | None], None]
    metadata: dict[str, JsonValue] = field(default_factory=dict)
    root: str | None = None
    replace: bool = False
    planned: Callable[[Outcome, str], None] | None = None
    counts: ImportCounts = field(default_factory=ImportCounts)
    seen: set[str] = field(default_factory=set)
    warned: Callable[[str], None] = field(default=lambda _name: None)
    _batch: list[LocalDocument] = field(default_factory=list)
    _characters: int = 0
    _server_failures: int = 0

    def run(self, documents: Iterable[LocalDocument | UnreadableFile]) -> None:
        for document in documents:
            self._process(document)
        self._flush()

    def _process(self, document: LocalDocument | UnreadableFile) -> None:
        if isinstance(document, UnreadableFile):
            self._fail(document.name, document.reason)
            return
        if document.external_id in self.seen:
            self._fail(document.place, "another file here has the same path in another Unicode form")
            return
        self.seen.add(document.external_id)
        known = self.known.get(document.external_id)
        if known is None and document.upload is None and self.planned is None:
            self._add_to_batch(document)
        else:
            self._send_single(document, known)

    def _would_overwrite(self, document: LocalDocument, known: ExistingDocument) -> bool:
        """Whether the known document came from another source and would be lost."""
        if self.root is None or self.replace:
            return False
        return known.root != self.root and not known.has_content_of(document)

    def _add_to_batch(self, document: LocalDocument) -> None:
        if self._batch and self._characters + len(document.content) > BATCH_CHARACTERS:
            self._flush()
        self._batch.append(document)
        self._characters += len(document.content)
        if len(self._batch) >= BATCH_DOCUMENTS:
            self._flush()

    def _flush(self) -> None:
        batch, self._batch, self._characters = self._batch, [], 0
        if batch:
            self._create(batch)

    def _create(self, batch: list[LocalDocument]) -> None:
        """A batch is all or nothing, so a refused batch is halved until the refused document is alone."""
        try:
            self.api.create(self._path("/batch"), {"documents": [self._new(document) for document in batch]})
        except ApiError as error:
            if error.status in HOPELESS:
                raise
            if len(batch) > 1:
                middle = len(batch) // 2
                self._create(batch[:middle])
                self._create(batch[middle:])
            elif error.code == TAKEN:
                self._send_single(batch[0], find_known(self.api, self.project_id, batch[0].external_id))
            else:
                self._reject(batch[0], error)
        else:
            for document in batch:
                self._succeed(Outcome.SENT)
                self._warn_if_blank(document)

    def _send_single(self, document: LocalDocument, known: ExistingDocument | None) -> None:
        if known is not None and self._would_overwrite(document, known):
            self._fail(document.place, _conflict_reason(known, self.root))
            return
        if self.planned is not None and _exceeds_default(document, known):
            self._fail(document.place, f"larger than {DEFAULT_UPLOAD_BYTES:,} bytes, the default limit of servers")
            return
        try:
            outcome = self._import_document(document, known)
        except ApiError as error:
            if error.status in HOPELESS and error.code != GONE:
                raise
            self._reject(document, error)
        else:
            self._succeed(outcome)
            if outcome is not Outcome.UNCHANGED:
                self._warn_if_blank(document)

    def _import_document(self, document: LocalDocument, known: ExistingDocument | None) -> Outcome:
        if known is not None and known.same_as(document, self.metadata):
            return Outcome.UNCHANGED
        outcome = Outcome.SENT if known is None else Outcome.CHANGED
        if self.planned is not None:
            self.planned(outcome, document.external_id)
        elif document.upload is not None:
            self._import_file(document, document.upload, known)
        elif known is not None:
            self.api.patch(self._path(f"/{known.id}"), self._body(document))
        else:
            self.api.create(self._path(), self._new(document))
        return outcome

    def _import_file(self, document: LocalDocument, file: bytes, known: ExistingDocument | None) -> None:
        if known is not None and known.has_content_of(document):
            self.api.patch(self._path(f"/{known.id}"), {"metadata": self._metadata()})
        else:
            self._upload(document, file, known)

    def _upload(self, document: LocalDocument, file: bytes, known: ExistingDocument | None) -> None:
        """A file cannot be uploaded again, so the old one is replaced once the server has accepted the new one."""
        name = document.external_id
        if known is None:
            self._send_file(name, name, file, document.sha256)
            return
        waiting = INCOMING + name
        leftover = find_known(self.api, self.project_id, waiting)
        if leftover is not None:
            self.api.delete(self._path(f"/{leftover.id}"))
        accepted = self._send_file(waiting, name, file, document.sha256)
        self.api.delete(self._path(f"/{known.id}"))
        self.api.patch(self._path(f"/{accepted.id}"), {"external_id": name})

    def _send_file(self, external_id: str, name: str, file: bytes, sha256: str) -> _Accepted:
        form = {"external_id": external_id, "metadata": json.dumps({**self._metadata(), SOURCE_SHA256: sha256})}
        plain = "".join(each if each.isprintable() else "_" for each in PurePosixPath(name).name)
        files = {"file": (plain, file, media_type_by_name(name) or "text/plain")}
        accepted = _Accepted.model_validate_json(self.api.upload(self._path("/upload"), form, files))
        if accepted.warnings:
            self._warn(name)
        return accepted

    def _body(self, document: LocalDocument) -> dict[str, JsonValue]:
        body: dict[str, JsonValue] = {
            "title": document.title,
            "content": document.content,
            "external_id": document.external_id,
        }
        metadata = {**document.metadata, **self._metadata()}
        return body | {"metadata": metadata} if metadata else body

    def _new(self, document: LocalDocument) -> JsonValue:
        """Only a new document is given a media type."""
        return {**self._body(document), "media_type": document.media_type}

    def _metadata(self) -> dict[str, JsonValue]:
        return self.metadata if self.root is None else {**self.metadata, SOURCE_ROOT: self.root}

    def _path(self, rest: str = "") -> str:
        return f"/projects/{self.project_id}/documents{rest}"

    def _succeed(self, outcome: Outcome) -> None:
        self._server_failures = 0
        match outcome:
            case Outcome.SENT:
                self.counts.sent += 1
            case Outcome.CHANGED:
                self.counts.changed += 1
            case _:
                self.counts.unchanged += 1
        self.notify(self.counts, None)

    def _warn_if_blank(self, document: LocalDocument) -> None:
        """Warns of a document without text; for an uploaded file the server does."""
        if document.upload is None and not document.content.strip():
            self._warn(document.place)

    def _warn(self, name: str) -> None:
        self.counts.blank.append(name)
        self.warned(name)

    def _reject(self, document: LocalDocument, error: ApiError) -> None:
        self._server_failures = self._server_failures + 1 if error.status >= 500 else 0
        if self._server_failures >= SERVER_FAILURES:
            raise error
        self._fail(document.place, _failure_reason(error))

    def _fail(self, name: str, reason: str) -> None:
        self.counts.failed.append(UnreadableFile(name, reason))
        self.notify(self.counts, f"{name}: {reason}")


def _exceeds_default(document: LocalDocument, known: ExistingDocument | None) -> bool:
    """Whether the document would be uploaded and is larger than most servers accept."""
    if document.upload is None or len(document.upload) <= DEFAULT_UPLOAD_BYTES:
        return False
    return known is None or not known.has_content_of(document)


def _conflict_reason(known: ExistingDocument, root: str | None) -> str:
    name = (known.root or "").rpartition("#")[0]
    folder = "another folder named " if name == (root or "").rpartition("#")[0] else ""
    origin = "it was not imported" if known.root is None else f"it was imported from {folder}{name!r}"
    return f"another document has this path ({origin}): use --prefix or --replace"


def _failure_reason(error: ApiError) -> str:
    """Names the document's fields, without their position in the request."""
    if not error.fields:
        return str(error)
    parts = ((field.pointer.rpartition("/")[2], field.message) for field in error.fields)
    return "; ".join(f"its {name}: {message}" if name and not name.isdigit() else message for name, message in parts)


class _Accepted(BaseModel):
    model_config = ConfigDict(extra="ignore")

    id: str
    warnings: list[str] = []
