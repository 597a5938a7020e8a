"""The list of an export's documents: a header, then a line of JSON for each document."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, Self

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from partywall.client.document_import.files import UnreadableFile

MANIFEST: Final = "partywall-export.jsonl"
# What is exported so far; renamed when the export is complete.
UNFINISHED: Final = "partywall-export.jsonl.part"
LONGEST_LINE: Final = 16 * 1024 * 1024
FORMAT: Final = 1


class Header(BaseModel):
    model_config = ConfigDict(extra="ignore")

    partywall_export: int
    project_id: str
    project_name: str


class Version(BaseModel):
    """`text` is the path of its content in the export."""

    model_config = ConfigDict(extra="ignore")

    number: int
    title: str
    content_sha256: str
    text: str
    created_at: str


class Original(BaseModel):
    """The uploaded file; `file` is its path in the export."""

    model_config = ConfigDict(extra="ignore")

    file: str
    name: str
    media_type: str


class Origin(BaseModel):
    """What the server has set, and what another server sets itself."""

    model_config = ConfigDict(extra="ignore")

    id: str
    revision: int
    created_at: str
    updated_at: str
    created_by: str


class Entry(BaseModel):
    """A document. `versions` are the kept ones, oldest first: the last is current. Without text there is none."""

    model_config = ConfigDict(extra="ignore")

    name: str
    external_id: str | None
    title: str
    status: str
    metadata: dict[str, JsonValue]
    media_type: str
    index_error: str | None
    original: Original | None
    versions: list[Version]
    origin: Origin

    @property
    def is_in_archive(self) -> bool:
        """Whether the server makes this document of a file in an uploaded archive."""
        path = self.metadata.get("archive_path")
        return isinstance(path, str) and "archive" in self.metadata and (self.external_id or "").endswith(f"/{path}")

    @property
    def paths(self) -> set[str]:
        return {each.text for each in self.versions} | ({self.original.file} if self.original else set())


def is_export(folder: Path) -> bool:
    return (folder / MANIFEST).is_file()


def read_header(path: Path) -> Header | None:
    """Returns None if the file is missing, or is no manifest of a known format."""
    try:
        with path.open("rb") as file:
            header = Header.model_validate_json(file.readline(LONGEST_LINE))
    except (FileNotFoundError, ValidationError):
        return None
    return header if header.partywall_export == FORMAT else None


def read_entries(folder: Path) -> Iterator[Entry | UnreadableFile]:
    with (folder / MANIFEST).open("rb") as file:
        file.readline(LONGEST_LINE)
        number = 1
        while line := file.readline(LONGEST_LINE):
            number += 1
            try:
                yield Entry.model_validate_json(line)
            except ValidationError:
                yield UnreadableFile(f"{MANIFEST} line {number}", "it does not describe a document of an export")


class UnfinishedManifest:
    """Entries are appended as they are exported, so an interrupted export goes on; the last entry of an id counts."""

    def __init__(self, folder: Path, file: BinaryIO) -> None:
        self._folder = folder
        self._file = file
        self._places: dict[str, int] = {}

    @classmethod
    def open(cls, folder: Path, header: Header) -> Self:
        path = folder / UNFINISHED
        if not path.exists() and is_export(folder):
            shutil.copyfile(folder / MANIFEST, path)
        file = path.open("a+b")
        manifest = cls(folder, file)
        file.seek(0)
        if not file.readline(LONGEST_LINE):
            file.write(_line(header))
            file.flush()
        else:
            manifest._read_places()
        return manifest

    def close(self) -> None:
        self._file.close()

    def _read_places(self) -> None:
        """Removes a line that was not written to its end."""
        while True:
            at = self._file.tell()
            line = self._file.readline(LONGEST_LINE)
            try:
                self._places[Entry.model_validate_json(line).origin.id] = at
            except ValidationError:
                self._file.truncate(at)
                return

    def find(self, id_: str) -> Entry | None:
        at = self._places.get(id_)
        if at is None:
            return None
        self._file.seek(at)
        return Entry.model_validate_json(self._file.readline(LONGEST_LINE))

    def entries(self) -> Iterator[Entry]:
        yield from (entry for id_ in list(self._places) if (entry := self.find(id_)) is not None)

    def append(self, entry: Entry) -> None:
        self._places[entry.origin.id] = self._file.seek(0, os.SEEK_END)
        self._file.write(_line(entry))
        self._file.flush()

    def finish(self, header: Header, ids: list[str]) -> None:
        """Writes the manifest of these documents, in this order."""
        draft = self._folder / f"{MANIFEST}.new"
        with draft.open("wb") as file:
            file.write(_line(header))
            for id_ in ids:
                self._file.seek(self._places[id_])
                file.write(self._file.readline(LONGEST_LINE))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._folder / MANIFEST)
        self._file.close()
        (self._folder / UNFINISHED).unlink()


def _line(model: BaseModel) -> bytes:
    return json.dumps(model.model_dump(mode="json"), ensure_ascii=False, sort_keys=True).encode() + b"\n"
