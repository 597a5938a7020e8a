"""ZIP archives: the files in them, some at a time. Each becomes a document of its own."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from partywall.features.documents.readers.charsets import decode
from partywall.features.documents.readers.file_text import Reason, UnreadableFileError
from partywall.features.documents.readers.kinds import Kind, kind_of
from partywall.features.documents.readers.package import Package

MAX_ENTRY: Final = 24 * 1024 * 1024
_ENOUGH_BYTES: Final = 4 * 1024 * 1024
_ENOUGH_FILES: Final = 32
# Before the number of a file whose path another one has, too. No path has two slashes.
REPEATED: Final = "//"
_UTF8_NAME: Final = 0x800
_SEPARATOR: Final = re.compile(r"[/\\]")
_DRIVE: Final = re.compile(r"[A-Za-z]:")
_UNSEEN: Final = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_BY_SYSTEMS: Final = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini"})


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in an archive, or the reason why it has no `data`."""

    path: str
    data: bytes = field(default=b"", repr=False)
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Entries:
    """Some files of an archive. `following` is the number of the next one, None after the last."""

    entries: Sequence[Entry]
    following: int | None


def read_entries(data: bytes, first: int, most: int) -> Entries:
    """The files from number `first`. Raises UnreadableFileError, also if there are more than `most`."""
    package = Package(data)
    wanted = [(path, info) for path, info in _paths(package.infos) if _is_wanted(path, info)]
    if len(wanted) > most:
        raise UnreadableFileError(Reason.TOO_MANY_FILES)
    last = dict(wanted)
    found: list[Entry] = []
    size = 0
    for number, (path, info) in enumerate(wanted[first:], first):
        if size >= _ENOUGH_BYTES or len(found) >= _ENOUGH_FILES:
            return Entries(found, first + len(found))
        if last[path] is info:
            found.append(_entry(package, path, info))
        else:
            found.append(Entry(f"{_UNSEEN.sub('\ufffd', path)}{REPEATED}{number}", reason=Reason.SAME_PATH))
        size += len(found[-1].data)
    return Entries(found, None)


def _paths(infos: Sequence[zipfile.ZipInfo]) -> list[tuple[str, zipfile.ZipInfo]]:
    """The files with their paths. Of several with the same path the last one counts, as for other programs."""
    return [(_path(name), info) for name, info in zip(_names(infos), infos, strict=True) if not info.is_dir()]


def _names(infos: Sequence[zipfile.ZipInfo]) -> list[str]:
    """The names, of which old programs do not tell the encoding."""
    raw = [b"" if info.flag_bits & _UTF8_NAME else info.filename.encode("cp437", "replace") for info in infos]
    unclear = b"\n".join(name for name in raw if not name.isascii())
    charset = decode(unclear)[1] or "utf-8" if unclear else ""
    if charset not in ("utf-8", "shift_jis", "gb18030", "big5", "euc-kr", "windows-1251", "ibm866", "koi8-r"):
        return [info.filename for info in infos]
    return [name.decode(charset, "replace") or info.filename for name, info in zip(raw, infos, strict=True)]


def _path(name: str) -> str:
    parts = _SEPARATOR.split(_DRIVE.sub("", name, count=1) if _DRIVE.match(name) else name)
    return "/".join(part for part in parts if part not in ("", "."))


def _is_wanted(path: str, info: zipfile.ZipInfo) -> bool:
    """Not an empty or hidden file, or what systems add."""
    parts = path.split("/")
    is_hidden = any((part.startswith(".") and part != "..") or part in _BY_SYSTEMS for part in parts)
    return bool(path) and info.file_size > 0 and not is_hidden


def _entry(package: Package, path: str, info: zipfile.ZipInfo) -> Entry:
    shown = _UNSEEN.sub("\ufffd", path)
    try:
        if shown != path or ".." in path.split("/"):
            raise UnreadableFileError(Reason.UNSAFE_NAME)
        if info.file_size > MAX_ENTRY:
            raise UnreadableFileError(Reason.TOO_LARGE)
        data = b"".join(package.pieces_of(info))
        if _is_archive(data):
            raise UnreadableFileError(Reason.NESTED_ARCHIVE)
    except UnreadableFileError as error:
        return Entry(shown, reason=error.reason)
    return Entry(path, data)


def _is_archive(data: bytes) -> bool:
    """Whether it is a ZIP that is no document. What else is wrong with it, its own reading will tell."""
    try:
        return data.startswith(b"PK") and kind_of(data, "") is Kind.ARCHIVE
    except UnreadableFileError:
        return False
