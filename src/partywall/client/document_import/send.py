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

BATCH_DOCUMENTS: Final = 200
BATCH_CHARACTERS: Final = 2_000_000
# Another try would meet the same end: somebody has to log in, ask for a right, or look at the server.
HOPELESS: Final = {401, 403, 404}
# So many failures of the server itself, one after another, are not the documents' fault.
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
    """Brings local documents into one project: the new in batches, the changed one by one, the unchanged not at all.

    `notify` hears of every document, with the reason where it failed. What the server refuses does not stop the rest.
    `warned` hears the names of those that hold no text. `root` says which folder the documents are from; those of
    another folder are left alone unless `replace`. With `planned` nothing is sent, and it hears what would be done with
    each document.
    """

    api: Api
    project_id: str
    known: dict[str, ExistingDocument]
    notify: Callable[[ImportCounts, str | None], None]
    metadata: dict[str, JsonValue] = field(default_factory=dict)
    root: str | None = None
    replace: bool = False
    planned: Callable[[Outcome, str], None] | None = None
    tally: ImportCounts = field(default_factory=ImportCounts)
    taken: set[str] = field(default_factory=set)
    warned: Callable[[str], None] = field(default=lambda _name: None)
    _batch: list[LocalDocument] = field(default_factory=list)
    _characters: int = 0
    _server_failures: int = 0

    def run(self, documents: Iterable[LocalDocument | UnreadableFile]) -> None:
        for document in documents:
            self._take(document)
        self._flush()

    def _take(self, document: LocalDocument | UnreadableFile) -> None:
        if isinstance(document, UnreadableFile):
            self._fail(document.name, document.reason)
            return
        if document.external_id in self.taken:
            self._fail(document.place, "another file here has this path, apart from its Unicode form")
            return
        self.taken.add(document.external_id)
        known = self.known.get(document.external_id)
        if known is None and document.upload is None and self.planned is None:
            self._collect(document)
        else:
            self._alone(document, known)

    def _overwrites(self, document: LocalDocument, known: ExistingDocument) -> bool:
        """Whether what is there came from elsewhere and would be lost."""
        if self.root is None or self.replace:
            return False
        return known.root != self.root and not known.has_content_of(document)

    def _collect(self, document: LocalDocument) -> None:
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
        """All or nothing on the server, so a refused batch is halved until the culprit stands alone."""
        try:
            self.api.create(self._path("/batch"), {"documents": [self._body(document) for document in batch]})
        except ApiError as error:
            if error.status in HOPELESS:
                raise
            if len(batch) > 1:
                middle = len(batch) // 2
                self._create(batch[:middle])
                self._create(batch[middle:])
            elif error.code == TAKEN:
                self._alone(batch[0], find_known(self.api, self.project_id, batch[0].external_id))
            else:
                self._refused(batch[0], error)
        else:
            for document in batch:
                self._succeed(Outcome.SENT)
                self._look(document)

    def _alone(self, document: LocalDocument, known: ExistingDocument | None) -> None:
        if known is not None and self._overwrites(document, known):
            self._fail(document.place, _from_elsewhere(known, self.root))
            return
        try:
            outcome = self._bring(document, known)
        except ApiError as error:
            if error.status in HOPELESS and error.code != GONE:
                raise
            self._refused(document, error)
        else:
            self._succeed(outcome)
            if outcome is not Outcome.UNCHANGED:
                self._look(document)

    def _bring(self, document: LocalDocument, known: ExistingDocument | None) -> Outcome:
        if known is not None and known.same_as(document, self.metadata):
            return Outcome.UNCHANGED
        outcome = Outcome.SENT if known is None else Outcome.CHANGED
        if self.planned is not None:
            self.planned(outcome, document.external_id)
        elif document.upload is not None:
            self._bring_page(document, document.upload, known)
        elif known is not None:
            self.api.patch(self._path(f"/{known.id}"), self._body(document))
        else:
            self.api.create(self._path(), self._body(document))
        return outcome

    def _bring_page(self, document: LocalDocument, page: bytes, known: ExistingDocument | None) -> None:
        if known is not None and known.has_content_of(document):
            self.api.patch(self._path(f"/{known.id}"), {"metadata": self._metadata()})
        else:
            self._upload(document, page, known)

    def _upload(self, document: LocalDocument, page: bytes, known: ExistingDocument | None) -> None:
        """A page has no second upload, so the new one takes the old one's place only once it has been accepted."""
        name = document.external_id
        if known is None:
            self._send_page(name, name, page, document.sha256)
            return
        waiting = INCOMING + name
        left_behind = find_known(self.api, self.project_id, waiting)
        if left_behind is not None:
            self.api.delete(self._path(f"/{left_behind.id}"))
        accepted = self._send_page(waiting, name, page, document.sha256)
        self.api.delete(self._path(f"/{known.id}"))
        self.api.patch(self._path(f"/{accepted.id}"), {"external_id": name})

    def _send_page(self, external_id: str, name: str, page: bytes, sha256: str) -> _Accepted:
        form = {"external_id": external_id, "metadata": json.dumps({**self._metadata(), SOURCE_SHA256: sha256})}
        plain = "".join(each if each.isprintable() else "_" for each in PurePosixPath(name).name)
        files = {"file": (plain, page, "text/html")}
        accepted = _Accepted.model_validate_json(self.api.upload(self._path("/upload"), form, files))
        if accepted.warnings:
            self._warn(name)
        return accepted

    def _body(self, document: LocalDocument) -> JsonValue:
        body: dict[str, JsonValue] = {
            "title": document.title,
            "content": document.content,
            "external_id": document.external_id,
        }
        metadata = self._metadata()
        return body | {"metadata": metadata} if metadata else body

    def _metadata(self) -> dict[str, JsonValue]:
        return self.metadata if self.root is None else {**self.metadata, SOURCE_ROOT: self.root}

    def _path(self, rest: str = "") -> str:
        return f"/projects/{self.project_id}/documents{rest}"

    def _succeed(self, outcome: Outcome) -> None:
        self._server_failures = 0
        match outcome:
            case Outcome.SENT:
                self.tally.sent += 1
            case Outcome.CHANGED:
                self.tally.changed += 1
            case _:
                self.tally.unchanged += 1
        self.notify(self.tally, None)

    def _look(self, document: LocalDocument) -> None:
        """Of a page the server says whether there is text in it."""
        if document.upload is None and not document.content.strip():
            self._warn(document.place)

    def _warn(self, name: str) -> None:
        self.tally.blank.append(name)
        self.warned(name)

    def _refused(self, document: LocalDocument, error: ApiError) -> None:
        self._server_failures = self._server_failures + 1 if error.status >= 500 else 0
        if self._server_failures >= SERVER_FAILURES:
            raise error
        self._fail(document.place, _explained(error))

    def _fail(self, name: str, reason: str) -> None:
        self.tally.failed.append(UnreadableFile(name, reason))
        self.notify(self.tally, f"{name}: {reason}")


def _from_elsewhere(known: ExistingDocument, root: str | None) -> str:
    name = (known.root or "").rpartition("#")[0]
    where = " at another place" if name == (root or "").rpartition("#")[0] else ""
    origin = "it was not imported" if known.root is None else f"it was imported from {name!r}{where}"
    return f"another document has this path ({origin}): give a --prefix, or --replace it"


def _explained(error: ApiError) -> str:
    """Speaks of the document's parts; where they stood in the request says nothing to a person."""
    if not error.fields:
        return str(error)
    parts = ((field.pointer.rpartition("/")[2], field.message) for field in error.fields)
    return "; ".join(f"its {name}: {message}" if name and not name.isdigit() else message for name, message in parts)


class _Accepted(BaseModel):
    model_config = ConfigDict(extra="ignore")

    id: str
    warnings: list[str] = []
