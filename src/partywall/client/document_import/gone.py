"""Finds the documents whose files are gone from the folder that they were imported from."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from partywall.client.document_import.existing import SOURCE_SHA256, ExistingDocument
from partywall.client.document_import.files import LINES, name_in
from partywall.client.document_import.scan import ScanResult

type Known = Mapping[str, ExistingDocument]


@dataclass(frozen=True, slots=True)
class FolderContent:
    """What is in a folder. Skipped files, and all files in skipped folders, are there as well."""

    source: Path
    names: frozenset[str]
    skipped_folders: tuple[str, ...]

    @classmethod
    def of(cls, source: Path, found: ScanResult) -> FolderContent:
        names = {name_in(source, path) for path in found.files} | {each.name for each in found.skipped}
        return cls(source, frozenset(names), tuple(name for name in names if name.endswith("/")))

    def has(self, name: str) -> bool:
        return name in self.names or name.startswith(self.skipped_folders) or os.path.lexists(self.source / name)


def gone_files(known: Known, root: str, prefix: str, content: FolderContent) -> dict[str, ExistingDocument]:
    """Only documents that were imported from the folder `root`, under `prefix`, are considered."""
    return {
        name: each
        for name, each in _imported(known, root, prefix)
        if not (content.has(name.removeprefix(prefix)) or content.has(_file_of(name.removeprefix(prefix))))
    }


def gone_lines(known: Known, root: str, prefix: str, seen: set[str], read: set[str]) -> dict[str, ExistingDocument]:
    """The documents of lines that are gone from the `.jsonl` files in `read`; `seen` has those of all lines."""
    found = ((name, each) for name, each in _imported(known, root, prefix) if name not in seen)
    return {name: each for name, each in found if _file_of(name) != name and _file_of(name) in read}


def by_hash(documents: Iterable[ExistingDocument]) -> dict[tuple[str, str], ExistingDocument]:
    """By the hash of the file, or else of the content, and the suffix of the path."""
    found: dict[tuple[str, str], ExistingDocument] = {}
    for each in documents:
        kept = each.metadata.get(SOURCE_SHA256)
        sha256 = kept if isinstance(kept, str) else each.content_sha256
        found.setdefault((sha256, PurePosixPath(each.external_id or "").suffix), each)
    return found


def _imported(known: Known, root: str, prefix: str) -> Iterable[tuple[str, ExistingDocument]]:
    return ((name, each) for name, each in known.items() if each.root == root and name.startswith(prefix))


def _file_of(name: str) -> str:
    """The file of a line's document: `notes.jsonl` for `notes.jsonl#7`. Other names stay as they are."""
    for kind in LINES:
        before, mark, _ = name.partition(f"{kind}#")
        if mark:
            return before + kind
    return name
