"""Creates the documents of an export in a project: the first version, then the others in their order."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from pydantic import JsonValue

from partywall.client.api import Api
from partywall.client.document_export.manifest import Entry, Original, Version
from partywall.client.document_import.existing import ExistingDocument, list_documents
from partywall.client.document_import.files import MAX_CONTENT_BYTES, UnreadableFile
from partywall.client.document_import.results import ImportCounts, ImportedDocument, Outcome
from partywall.client.errors import ApiError, ClientError

HOPELESS: Final = {401, 403, 404}
_TEXT: Final = "text/plain"
_NO_TEXT: Final = hashlib.sha256(b"").hexdigest()
DIFFERS: Final = "the project has another document with this external id: use --replace"


class InvalidEntry(ClientError):
    """The entry cannot be imported: a file is missing, too large or outside of the export."""


@dataclass(slots=True)
class Restore:
    """`notify` is called for every document.

    A document with versions and an uploaded file is `unfinished` until the server has read the file, or cannot: call
    `finish_all` with it then. Files in archives are `postponed` until the server has read the archives: then it has
    made their documents, and `run_postponed` adds what is missing.
    """

    api: Api
    project_id: str
    folder: Path
    notify: Callable[[ImportCounts], None] = field(default=lambda _counts: None)
    replace: bool = False
    dry_run: bool = False
    counts: ImportCounts = field(default_factory=ImportCounts)
    imported: list[ImportedDocument] = field(default_factory=list)
    unfinished: list[tuple[Entry, ExistingDocument]] = field(default_factory=list)
    postponed: list[Entry] = field(default_factory=list)
    _known: dict[tuple[str | None, str, str], ExistingDocument] = field(default_factory=dict)

    def run(self, entries: Iterable[Entry | UnreadableFile]) -> None:
        self._refresh()
        for entry in entries:
            if isinstance(entry, UnreadableFile):
                self.counts.failed.append(entry)
            elif entry.is_in_archive:
                self.postponed.append(entry)
            else:
                self._restore(entry)
            self.notify(self.counts)

    def made_by_server(self) -> dict[str, str]:
        """The ids and names of the postponed ones that the project has by now."""
        self._refresh()
        known = ((entry, self._known.get(_key_of(entry))) for entry in self.postponed)
        return {document.id: entry.name for entry, document in known if document is not None}

    def run_postponed(self) -> None:
        self._refresh()
        for entry in self.postponed:
            self._restore(entry)
            self.notify(self.counts)

    def _refresh(self) -> None:
        if self.project_id:
            self._known = {_key(each): each for each in list_documents(self.api, self.project_id)}

    def finish_all(self, ready: Iterable[tuple[Entry, ExistingDocument]]) -> None:
        """Adds the versions that the server has not made of the uploaded files."""
        now = {each.id: each for each in list_documents(self.api, self.project_id)}
        for entry, document in ready:
            try:
                if document.id in now:
                    self._finish(entry, now[document.id])
            except (ApiError, InvalidEntry, OSError) as error:
                self.counts.failed.append(UnreadableFile(entry.name, str(error)))

    def _finish(self, entry: Entry, document: ExistingDocument) -> None:
        last = entry.versions[-1]
        is_last = document.content_sha256 == last.content_sha256
        if is_last and len(entry.versions) == 1:
            return
        if entry.external_id is not None:
            self._add_versions(document, entry, [] if is_last else [last])
        else:
            is_first = document.content_sha256 == entry.versions[0].content_sha256
            self._add_versions(document, entry, entry.versions[1:] if is_first else entry.versions)

    def _restore(self, entry: Entry) -> None:
        try:
            outcome, document = self._restored(entry)
        except ApiError as error:
            if error.status in HOPELESS:
                raise
            self.counts.failed.append(UnreadableFile(entry.name, str(error)))
        except (InvalidEntry, OSError) as error:
            self.counts.failed.append(UnreadableFile(entry.name, str(error)))
        else:
            self.counts.add(outcome)
            if document is not None:
                self.imported.append(ImportedDocument(entry.name, outcome, document))

    def _restored(self, entry: Entry) -> tuple[Outcome, ExistingDocument | None]:
        known = self._known.get(_key_of(entry))
        if entry.original is None and not entry.versions:
            raise InvalidEntry("it has neither a file nor a version")
        for path in entry.paths:
            self._file(path)
        if known is None:
            return Outcome.SENT, None if self.dry_run else self._bring(None, entry, entry.versions)
        if _is_same(known, entry):
            if known.awaits_reading and entry.original is not None and entry.versions:
                self.unfinished.append((entry, known))
            return Outcome.UNCHANGED, known
        made = _versions_made(known, entry)
        if made is None and not self.replace:
            raise InvalidEntry(DIFFERS)
        if self.dry_run:
            return Outcome.CHANGED, None
        missing = entry.versions[-1:] if made is None else entry.versions[made:]
        return Outcome.CHANGED, self._bring(known, entry, missing)

    def _bring(self, document: ExistingDocument | None, entry: Entry, versions: list[Version]) -> ExistingDocument:
        """Creates or changes the document. The file is uploaded last: usually the newest version is its text.

        A file that the server could not read has made none.
        """
        if entry.original is None:
            if document is None:
                first, *versions = versions
                document = self._create(entry, first)
            return self._add_versions(document, entry, versions)
        if entry.external_id is not None:
            for version in versions[:-1] if entry.index_error is None else versions:
                if document is None:
                    document = self._create(entry, version)
                else:
                    document = self._patch(document, self._text(version))
        if document is None or entry.external_id is not None:
            document = self._upload(entry, entry.original)
        if entry.status != document.status:
            document = self._patch(document, {"status": entry.status})
        if entry.versions:
            self.unfinished.append((entry, document))
        return document

    def _create(self, entry: Entry, version: Version) -> ExistingDocument:
        body = {**_fields(entry), "external_id": entry.external_id, **self._text(version)}
        body |= {} if entry.original else {"media_type": entry.media_type}
        return _read(self.api.create(self._path(), body))

    def _upload(self, entry: Entry, original: Original) -> ExistingDocument:
        """Creates the document, or replaces the file of the one with this external id."""
        form = {"title": entry.title, "metadata": json.dumps(entry.metadata)}
        form |= {} if entry.external_id is None else {"external_id": entry.external_id}
        with self._file(original.file).open("rb") as file:
            files = {"file": (original.name, file, original.media_type)}
            return _read(self.api.upload(self._path("/upload"), form, files))

    def _add_versions(self, document: ExistingDocument, entry: Entry, versions: Iterable[Version]) -> ExistingDocument:
        for version in versions:
            document = self._patch(document, self._text(version))
        metadata: dict[str, JsonValue] = dict.fromkeys(document.metadata.keys() - entry.metadata.keys())
        rest: dict[str, JsonValue] = {**_fields(entry), "metadata": {**metadata, **entry.metadata}}
        same = document.metadata == entry.metadata and document.status == entry.status
        return (
            document if same and document.title == entry.title else self._patch(document, rest | {"title": entry.title})
        )

    def _patch(self, document: ExistingDocument, body: JsonValue) -> ExistingDocument:
        return _read(self.api.patch(self._path(f"/{document.id}"), body))

    def _text(self, version: Version) -> dict[str, JsonValue]:
        """Raises InvalidEntry."""
        with self._file(version.text).open("rb") as file:
            body = file.read(MAX_CONTENT_BYTES + 1)
        if len(body) > MAX_CONTENT_BYTES:
            raise InvalidEntry(f"{version.text} is larger than {MAX_CONTENT_BYTES:,} bytes")
        try:
            return {"title": version.title, "content": body.decode()}
        except UnicodeDecodeError as error:
            raise InvalidEntry(f"{version.text} is not UTF-8 text") from error

    def _file(self, path: str) -> Path:
        """Raises InvalidEntry if it is not a file in the export's folder."""
        parts = PurePosixPath(path).parts
        file = self.folder.joinpath(*parts)
        if PurePosixPath(path).is_absolute() or ".." in parts or "\0" in path:
            raise InvalidEntry(f"{path!r} leaves the folder")
        if not file.resolve().is_relative_to(self.folder.resolve()) or not file.is_file():
            raise InvalidEntry(f"{path!r} is not a file in the folder")
        return file

    def _path(self, rest: str = "") -> str:
        return f"/projects/{self.project_id}/documents{rest}"


def _read(answer: bytes) -> ExistingDocument:
    return ExistingDocument.model_validate_json(answer)


def _fields(entry: Entry) -> dict[str, JsonValue]:
    return {"status": entry.status, "metadata": entry.metadata}


def _key(document: ExistingDocument) -> tuple[str | None, str, str]:
    """A document without an external id is recognized by its title and text."""
    named = document.external_id is not None
    return document.external_id, "" if named else document.title, "" if named else document.content_sha256


def _key_of(entry: Entry) -> tuple[str | None, str, str]:
    named = entry.external_id is not None
    sha256 = entry.versions[-1].content_sha256 if entry.versions else ""
    return entry.external_id, "" if named else entry.title, "" if named else sha256


def _is_same(known: ExistingDocument, entry: Entry) -> bool:
    """The text of an uploaded file with one version is what the server reads in it, if it can read it."""
    if entry.original is not None and known.media_type == _TEXT != entry.media_type:
        return False  # its file was not sent
    is_read = known.awaits_reading or known.content_sha256 != _NO_TEXT
    is_read_anew = entry.original is not None and (not entry.versions or (len(entry.versions) == 1 and is_read))
    is_same_text = is_read_anew or known.content_sha256 == entry.versions[-1].content_sha256
    is_same_rest = (known.title, known.status, known.metadata) == (entry.title, entry.status, entry.metadata)
    return is_same_text and is_same_rest


def _versions_made(known: ExistingDocument, entry: Entry) -> int | None:
    """How many of the entry's versions the document has, if an import of it was interrupted; otherwise None."""
    made = known.version
    if known.content_sha256 == _NO_TEXT and entry.original is not None:
        return 0  # its file could not be read
    if not 0 < made <= len(entry.versions):
        return None
    last = entry.versions[made - 1]
    return made if (last.title, last.content_sha256) == (known.title, known.content_sha256) else None
