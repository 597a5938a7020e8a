from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePosixPath
from typing import Final

from pydantic import JsonValue

from partywall.client.api import Api
from partywall.client.document_import.existing import ExistingDocument, find_known
from partywall.client.document_import.files import LocalDocument, UnreadableFile
from partywall.client.document_import.results import ImportCounts, ImportedDocument, Outcome
from partywall.client.document_import.threads import RequestThreads
from partywall.client.document_import.transfer import FileChanged, PathTaken, Transfer
from partywall.client.errors import ApiError

BATCH_DOCUMENTS: Final = 200
BATCH_CHARACTERS: Final = 2_000_000
# What a server accepts unless it is configured otherwise; a dry run cannot ask it.
DEFAULT_UPLOAD_BYTES: Final = 25 * 1024 * 1024
# A retry would fail as well: the user must log in, get a right, or check the server.
HOPELESS: Final = {401, 403, 404}
# This many 5xx answers in a row stop the import: the documents are not the cause.
SERVER_FAILURES: Final = 5
TOO_MANY: Final = 429
TAKEN: Final = "external_id_taken"
GONE: Final = "document_not_found"

type Threads = RequestThreads[ExistingDocument]


@dataclass(slots=True)
class Import:
    """Imports local documents into one project: new texts in batches, files and changes singly, unchanged ones not.

    `notify` is called for every document, with the reason if it failed; a refused document does not stop the import.
    `warned` is called with the name of a document without text. `root` is the folder that the documents are from;
    documents of another folder are not overwritten without `replace`. With `planned` nothing is sent: it is called with
    the outcome for each document. `known` is kept up to date.
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
    imported: list[ImportedDocument] = field(default_factory=list)
    # Documents whose files are gone, by hash and suffix: a new file with both has been renamed.
    renamable: dict[tuple[str, str], ExistingDocument] = field(default_factory=dict)
    _batch: list[LocalDocument] = field(default_factory=list)
    _characters: int = 0
    _server_failures: int = 0

    def run(self, documents: Iterable[LocalDocument | UnreadableFile]) -> None:
        with RequestThreads[ExistingDocument](self.api) as threads:
            for document in documents:
                self._process(document, threads)
            self._flush(threads)
            threads.drain()

    @property
    def transfer(self) -> Transfer:
        return Transfer(self.api, self.project_id, self.metadata, self.root)

    def _process(self, document: LocalDocument | UnreadableFile, threads: Threads) -> None:
        if isinstance(document, UnreadableFile):
            self._fail(document.name, document.reason)
            return
        if document.external_id in self.seen:
            self._fail(document.place, "another file here has the same path in another Unicode form")
            return
        self.seen.add(document.external_id)
        known = self.known.get(document.external_id)
        content = document.sha256, PurePosixPath(document.external_id).suffix
        former = self.renamable.pop(content, None) if known is None else None
        if former is not None:
            self._rename(document, former, threads)
        elif known is None and document.upload is None and self.planned is None:
            self._add_to_batch(document, threads)
        else:
            self._send_single(document, known, threads)

    def _would_overwrite(self, document: LocalDocument, known: ExistingDocument) -> bool:
        """Whether the known document came from another source and would be lost."""
        if self.root is None or self.replace:
            return False
        return known.root != self.root and not known.has_content_of(document)

    def _add_to_batch(self, document: LocalDocument, threads: Threads) -> None:
        if self._batch and self._characters + len(document.content) > BATCH_CHARACTERS:
            self._flush(threads)
        self._batch.append(document)
        self._characters += len(document.content)
        if len(self._batch) >= BATCH_DOCUMENTS:
            self._flush(threads)

    def _flush(self, threads: Threads) -> None:
        batch, self._batch, self._characters = self._batch, [], 0
        if batch:
            self._create(batch, threads)

    def _create(self, batch: list[LocalDocument], threads: Threads) -> None:
        """A batch is all or nothing, so a refused batch is halved until the refused document is alone."""
        try:
            created = self.transfer.create(batch)
        except ApiError as error:
            if error.status in HOPELESS:
                raise
            if len(batch) > 1:
                middle = len(batch) // 2
                self._create(batch[:middle], threads)
                self._create(batch[middle:], threads)
            elif error.code == TAKEN:
                known = find_known(self.api, self.project_id, batch[0].external_id)
                self._send_single(batch[0], known, threads)
            else:
                self._reject(batch[0], error)
        else:
            for document, new in zip(batch, created, strict=True):
                self._succeed(document, Outcome.SENT, new)

    def _send_single(self, document: LocalDocument, known: ExistingDocument | None, threads: Threads) -> None:
        outcome = Outcome.SENT if known is None else Outcome.CHANGED
        if known is not None and self._would_overwrite(document, known):
            self._fail(document.place, _conflict_reason(known, self.root))
        elif self.planned is not None and _exceeds_default(document, known):
            self._fail(document.place, f"larger than {DEFAULT_UPLOAD_BYTES:,} bytes, the default limit of servers")
        elif known is not None and known.same_as(document, self.metadata):
            self._succeed(document, Outcome.UNCHANGED, known)
        elif self.planned is not None:
            self._plan(document, outcome)
        else:
            threads.submit(partial(self.transfer.send, document, known), partial(self._ended, document, outcome))

    def _rename(self, document: LocalDocument, former: ExistingDocument, threads: Threads) -> None:
        self.known.pop(former.external_id or "", None)
        if self.planned is not None:
            self._plan(document, Outcome.RENAMED)
        else:
            request = partial(self.transfer.rename, former, document)
            threads.submit(request, partial(self._ended, document, Outcome.RENAMED))

    def _plan(self, document: LocalDocument, outcome: Outcome) -> None:
        if self.planned is not None:
            self.planned(outcome, document.external_id)
        self.counts.add(outcome)
        self.notify(self.counts, None)

    def _ended(self, document: LocalDocument, outcome: Outcome, answer: Future[ExistingDocument]) -> None:
        try:
            self._succeed(document, outcome, answer.result())
        except ApiError as error:
            if error.status in HOPELESS and error.code != GONE:
                raise
            self._reject(document, error)
        except (FileChanged, PathTaken, OSError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            self._fail(document.place, reason.lower())

    def _succeed(self, document: LocalDocument, outcome: Outcome, answer: ExistingDocument) -> None:
        self._server_failures = 0
        self.known[document.external_id] = answer
        self.imported.append(ImportedDocument(document.place, outcome, answer))
        self.counts.add(outcome)
        self.notify(self.counts, None)
        if outcome is not Outcome.UNCHANGED and answer.warnings:
            self.counts.blank.append(document.place)
            self.warned(document.place)

    def _reject(self, document: LocalDocument, error: ApiError) -> None:
        self._server_failures = self._server_failures + 1 if error.status >= 500 else 0
        self.counts.unavailable += error.status >= 500 or error.status == TOO_MANY
        if self._server_failures >= SERVER_FAILURES:
            raise error
        self._fail(document.place, _failure_reason(error))

    def _fail(self, name: str, reason: str) -> None:
        self.counts.failed.append(UnreadableFile(name, reason))
        self.notify(self.counts, f"{name}: {reason}")


def _exceeds_default(document: LocalDocument, known: ExistingDocument | None) -> bool:
    """Whether the document would be uploaded and is larger than most servers accept."""
    if document.upload is None or document.upload.size <= DEFAULT_UPLOAD_BYTES:
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
