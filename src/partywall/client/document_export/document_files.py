"""Writes the files of one document."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from io import BufferedRandom
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict

from partywall.client.api import Api
from partywall.client.document_export.manifest import Entry, Origin, Original, Version
from partywall.client.document_import.existing import ExistingDocument
from partywall.client.errors import ApiError, ClientError

FILES: Final = "files"
TEXTS: Final = "texts"
DRAFTS: Final = ".partial"
# A document that changes while it is exported is exported again.
ATTEMPTS: Final = 3
NO_ORIGINAL: Final = "original_not_found"


class ForeignFolder(ClientError):
    """The folder holds something else; nothing in it is touched."""


class DocumentChanged(ClientError):
    def __init__(self) -> None:
        super().__init__("it changed while it was being exported: repeat the command")


class _VersionSummary(BaseModel):
    model_config = ConfigDict(extra="ignore")

    number: int
    title: str
    content_sha256: str
    created_at: str


class _Versions(BaseModel):
    items: list[_VersionSummary]
    next_cursor: str | None


class _Content(BaseModel):
    model_config = ConfigDict(extra="ignore")

    content: str


@dataclass(frozen=True, slots=True)
class DocumentExport:
    """Writes the files of one document, each whole or not at all. `name` is its path below `files`."""

    api: Api
    project_id: str
    folder: Path
    name: str

    def run(self, document: ExistingDocument) -> Entry:
        """Raises DocumentChanged if it changes all the time."""
        for _ in range(ATTEMPTS):
            try:
                return self._write(document)
            except DocumentChanged:
                document = ExistingDocument.model_validate_json(self.api.get(self._path(document.id)))
        raise DocumentChanged

    def _write(self, document: ExistingDocument) -> Entry:
        original = self._write_original(document)
        return Entry(
            name=self.name,
            **document.model_dump(include={"external_id", "title", "status", "metadata", "media_type"}),
            index_error=document.lasting_error,
            original=original,
            versions=[self._write_version(document, each, original) for each in self._versions(document)],
            origin=Origin(**document.model_dump(include=set(Origin.model_fields))),
        )

    def _write_original(self, document: ExistingDocument) -> Original | None:
        path = f"{FILES}/{self.name}"
        try:
            with self._draft(path) as file:
                headers = self.api.download(self._path(document.id, "/content"), {"original": "true"}, file)
        except ApiError as error:
            if error.code == NO_ORIGINAL:
                return None
            raise
        said = Message()
        said["Content-Disposition"] = headers.get("Content-Disposition", "")
        name = said.get_filename() or self.name.rpartition("/")[2]
        return Original(file=path, name=name, media_type=document.media_type)

    def _versions(self, document: ExistingDocument) -> list[_VersionSummary]:
        """Oldest first, without those that were made since `document` was listed."""
        found: list[_VersionSummary] = []
        params: dict[str, str | int] = {"limit": 100}
        while True:
            page = _Versions.model_validate_json(self.api.get(self._path(document.id, "/versions"), params))
            found += page.items
            if page.next_cursor is None:
                return [each for each in reversed(found) if each.number <= document.version]
            params["cursor"] = page.next_cursor

    def _write_version(
        self, document: ExistingDocument, version: _VersionSummary, original: Original | None
    ) -> Version:
        is_current = version.number == document.version
        path = f"{TEXTS}/{self.name}~/{version.number}.txt"
        if is_current and original is None:
            path = f"{FILES}/{self.name}"
        if is_current and original is not None and self._has(original.file, version.content_sha256):
            path = original.file
        else:
            with self._draft(path) as file:
                if is_current:
                    self.api.download(self._path(document.id, "/content"), {}, file)
                    file.seek(0)
                    if hashlib.file_digest(file, "sha256").hexdigest() != document.content_sha256:
                        raise DocumentChanged
                else:
                    answer = self.api.get(self._path(document.id, f"/versions/{version.number}"))
                    file.write(_Content.model_validate_json(answer).content.encode())
        return Version(**version.model_dump(), text=path)

    def _has(self, path: str, sha256: str) -> bool:
        with (self.folder / path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256

    @contextmanager
    def _draft(self, path: str) -> Iterator[BufferedRandom]:
        """A temporary file that gets the path when the block ends without an error."""
        target = self.folder / path
        descriptor, draft = tempfile.mkstemp(dir=self.folder / DRAFTS)
        try:
            with os.fdopen(descriptor, "w+b") as file:
                yield file
            if not target.parent.resolve().is_relative_to(self.folder.resolve()):
                raise ForeignFolder(f"{target.parent} leaves the folder of the export by a link: remove the link")
            target.parent.mkdir(parents=True, exist_ok=True)
            Path(draft).replace(target)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise

    def _path(self, id_: str, rest: str = "") -> str:
        return f"/projects/{self.project_id}/documents/{id_}{rest}"
