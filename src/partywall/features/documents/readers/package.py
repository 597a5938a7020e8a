"""A ZIP archive of XML parts, as Office, OpenDocument and EPUB files are. Bounded against archives that explode."""

from __future__ import annotations

import posixpath
import zipfile
import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import Final
from urllib.parse import unquote

from partywall.features.documents.readers.file_text import Reason, UnreadableFileError
from partywall.features.documents.readers.xml_events import Event, Start, XmlError, xml_events

MAX_UNPACKED: Final = 256 * 1024 * 1024
_MAX_PARTS: Final = 20_000
_PIECE: Final = 256 * 1024
_ENCRYPTED: Final = 1
# The largest ratio that Deflate reaches. Who says more has a broken directory.
_MAX_RATIO: Final = 1_040
_BROKEN: Final = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, ValueError)


class Package:
    def __init__(self, data: bytes) -> None:
        """Raises UnreadableFileError."""
        try:
            self._archive = zipfile.ZipFile(BytesIO(data))
        except _BROKEN as error:
            raise UnreadableFileError(Reason.DAMAGED) from error
        infos = self._archive.infolist()
        if any(map(_is_impossible, infos)):
            raise UnreadableFileError(Reason.DAMAGED)
        if len(infos) > _MAX_PARTS or sum(each.file_size for each in infos) > MAX_UNPACKED:
            raise UnreadableFileError(Reason.TOO_LARGE)
        self.infos = infos
        self.names = [each.filename for each in infos]
        self._known = frozenset(self.names)
        self._left = MAX_UNPACKED
        self.is_whole = True

    def __contains__(self, name: str) -> bool:
        return name in self._known

    def pieces(self, name: str) -> Iterator[bytes]:
        """The bytes of a part; nothing for a part that is missing. Raises UnreadableFileError."""
        if name in self._known:
            yield from self.pieces_of(self._archive.getinfo(name))

    def pieces_of(self, info: zipfile.ZipInfo) -> Iterator[bytes]:
        """Raises UnreadableFileError."""
        if info.flag_bits & _ENCRYPTED:
            raise UnreadableFileError(Reason.PASSWORD_PROTECTED)
        try:
            with self._archive.open(info) as part:
                while piece := part.read(_PIECE):
                    self._left -= len(piece)
                    if self._left < 0:
                        raise UnreadableFileError(Reason.TOO_LARGE)
                    yield piece
        except _BROKEN as error:
            raise UnreadableFileError(Reason.DAMAGED) from error

    @property
    def is_encrypted(self) -> bool:
        return any(each.flag_bits & _ENCRYPTED for each in self.infos)

    def read(self, name: str) -> bytes:
        return b"".join(self.pieces(name))

    def events(self, name: str) -> Iterator[Event]:
        """The events of an XML part that the file cannot be read without. Raises UnreadableFileError."""
        try:
            yield from xml_events(self.pieces(name))
        except XmlError as error:
            raise UnreadableFileError(Reason.DAMAGED) from error

    def extra_events(self, name: str) -> Iterator[Event]:
        """The events of a part that the file can be read without: those before it breaks."""
        if name not in self._known:
            return
        try:
            yield from self.events(name)
        except UnreadableFileError as error:
            if error.reason is not Reason.DAMAGED:
                raise
            self.is_whole = False

    def relations(self, name: str) -> dict[str, tuple[str, str]]:
        """Kind and part by id, for the relations of an Office part."""
        folder, file = posixpath.split(name)
        found: dict[str, tuple[str, str]] = {}
        for event in self.extra_events(f"{folder}/_rels/{file}.rels".lstrip("/")):
            if isinstance(event, Start) and event.name == "Relationship":
                kind = event.attributes.get("Type", "").rpartition("/")[2]
                if event.attributes.get("TargetMode") != "External":
                    found[event.attributes.get("Id", "")] = (kind, resolved(folder, event.attributes.get("Target", "")))
        return found


def _is_impossible(info: zipfile.ZipInfo) -> bool:
    """Whether a part claims to have been compressed more than its method can."""
    ratio = {zipfile.ZIP_STORED: 1, zipfile.ZIP_DEFLATED: _MAX_RATIO}.get(info.compress_type)
    return ratio is not None and info.file_size > ratio * info.compress_size + _MAX_RATIO


def resolved(folder: str, target: str) -> str:
    """The name of the part that a link in `folder` points at."""
    path = unquote(target.partition("#")[0])
    return posixpath.normpath(path.lstrip("/") if path.startswith("/") else posixpath.join(folder, path))


def properties(events: Iterator[Event]) -> dict[str, str]:
    """The text of simple elements, such as title and language in the properties of a file, by lower-case name."""
    found: dict[str, str] = {}
    name = ""
    for event in events:
        if isinstance(event, Start):
            name = event.name.lower()
        elif isinstance(event, str) and name:
            found[name] = found.get(name, "") + event
        else:
            name = ""
    return found
