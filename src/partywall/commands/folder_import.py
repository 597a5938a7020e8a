"""One import of a folder: what is sent, renamed and deleted, and what the server makes of it."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Final

import typer
from pydantic import JsonValue

from partywall.client.document_import import (
    ExistingDocument,
    FileFilter,
    FolderContent,
    Import,
    Outcome,
    ScanResult,
    by_hash,
    count,
    documents_in,
    gone_files,
    gone_lines,
    known_documents,
    name_in,
    source_root,
)
from partywall.client.errors import ApiError
from partywall.commands.connection import Connection
from partywall.commands.import_report import ImportResults, listed
from partywall.commands.progress import open_meter
from partywall.commands.terminal import print_line, printable
from partywall.commands.usage_error import UsageError

_PLANS: Final = {
    Outcome.SENT: "would send",
    Outcome.CHANGED: "would change",
    Outcome.RENAMED: "would rename a document to",
}

type Known = dict[str, ExistingDocument]


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """The options of the command. `prefix` is empty or ends with a slash."""

    source: Path
    prefix: str = ""
    choice: FileFilter = field(default_factory=FileFilter)
    metadata: dict[str, JsonValue] = field(default_factory=dict)
    replace: bool = False
    delete: bool = False
    yes: bool = False
    dry_run: bool = False


@dataclass(slots=True)
class FolderImport:
    """`project_id` is None if a dry run would create the project. `root` stays if the folder disappears meanwhile."""

    connection: Connection
    project_id: str | None
    options: ImportOptions
    results: ImportResults = field(default_factory=ImportResults)
    known: Known = field(default_factory=dict)
    root: str = field(init=False)

    def __post_init__(self) -> None:
        self.root = source_root(self.options.source)

    def refresh(self) -> None:
        self.known = {} if self.project_id is None else known_documents(self.connection.api, self.project_id)

    def gone(self, found: ScanResult) -> Known:
        """The documents to delete, or to rename if their files are found elsewhere."""
        if not self.options.delete:
            return {}
        content = FolderContent.of(self.options.source, found)
        return gone_files(self.known, self.root, self.options.prefix, content)

    def run(self, files: Sequence[Path], gone: Known, *, replace: bool = False) -> None:
        """Sends the files, then deletes what is gone."""
        importer = self._importer(replace or self.options.replace)
        importer.renamable = by_hash(gone.values())
        source, prefix = self.options.source, self.options.prefix
        with open_meter("sending", count(files)) as meter:
            importer.notify = lambda counts, _failure: meter.reach(counts.done, _note(len(counts.failed)))
            importer.warned = lambda name: meter.print_line(f"warning: no text found in {name}")
            importer.run(chain.from_iterable(documents_in(source, path, prefix) for path in files))
        left = {name: each for name, each in gone.items() if name in self.known}
        if self.options.delete:
            failed = {each.name.rpartition(" line ")[0] for each in self.results.counts.failed}
            read = {name_in(source, path, prefix) for path in files} - failed
            left |= gone_lines(self.known, self.root, prefix, importer.seen, read)
        if left:
            self._delete(left, importer)

    def _importer(self, replace: bool) -> Import:
        return Import(
            self.connection.api,
            self.project_id or "",
            self.known,
            notify=lambda _counts, _failure: None,
            metadata=self.options.metadata,
            root=self.root,
            replace=replace,
            planned=_planned if self.options.dry_run else None,
            counts=self.results.counts,
            imported=self.results.imported,
        )

    def _delete(self, gone: Known, importer: Import) -> None:
        with open_meter("deleting", len(gone)) as meter:
            for done, (name, document) in enumerate(gone.items(), start=1):
                if self.options.dry_run:
                    print_line(f"would delete: {name}", err=True)
                else:
                    _delete_if_there(importer, document)
                    self.known.pop(name, None)
                self.results.counts.deleted.append(name)
                meter.reach(done)


def may_delete(options: ImportOptions, found: ScanResult, gone: Mapping[str, ExistingDocument]) -> bool:
    """Asks once, before anything is sent. Raises UsageError without a terminal to ask on."""
    if not gone or (options.dry_run and found.files):
        return bool(gone)
    names = listed([printable(name) for name in gone])
    if not found.files:
        warning = (
            f"{options.source} has no file to import. Is it the right folder, and mounted?"
            f" All {len(gone)} documents imported from it would be deleted: {names}"
        )
        if options.dry_run:
            print_line(warning, err=True)
            return True
        if options.yes or not sys.stdin.isatty():
            raise UsageError(f"{printable(warning)}; only a person at a terminal can confirm this")
    else:
        warning = f"The files of {len(gone)} documents are gone: {names}. What was not renamed will be deleted"
    return options.yes or typer.confirm(f"{warning}. Delete?", err=True)


def may_replace(options: ImportOptions, files: Sequence[Path], known: Known, root: str) -> bool:
    """Asks once on a terminal, before anything is sent; otherwise `--replace` decides."""
    if options.replace or options.dry_run or not sys.stdin.isatty():
        return False
    names = (name_in(options.source, path, options.prefix) for path in files)
    foreign = [name for name in names if name in known and known[name].root != root]
    if not foreign:
        return False
    return typer.confirm(
        f"{len(foreign)} paths here, such as {printable(foreign[0])}, already have documents from other sources."
        " Replace those that differ?",
        err=True,
    )


def _planned(outcome: Outcome, name: str) -> None:
    print_line(f"{_PLANS[outcome]}: {name}", err=True)


def _note(failed: int) -> str:
    return f"{failed} refused" if failed else ""


def _delete_if_there(importer: Import, document: ExistingDocument) -> None:
    try:
        importer.transfer.delete(document)
    except ApiError as error:
        if error.code != "document_not_found":
            raise
