"""The documents of a folder. Each one's `external_id` is its path in there, by which a second import knows it again."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TEXT: Final = {".txt", ".md", ".markdown"}
MARKDOWN: Final = {".md", ".markdown"}
HTML: Final = {".html", ".htm"}
LINES: Final = {".jsonl"}
MAX_TITLE: Final = 500
# Gives back nothing that it has taken: linear time, whatever the file.
HEADING: Final = re.compile(r"^ {0,3}+#{1,6}+[ \t]++([^\s#][^\n]{0,1000}+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Local:
    """A document as it lies here. `upload` holds a page's bytes, from which the server takes the text."""

    external_id: str
    title: str
    content: str
    sha256: str
    upload: bytes | None = None


@dataclass(frozen=True, slots=True)
class Unreadable:
    name: str
    reason: str


def list_files(source: Path) -> list[Path]:
    """The files of kinds that can be imported, in the order of their paths; hidden ones are left out."""
    if source.is_file():
        return [source]
    found: list[Path] = []
    for folder, folders, names in source.walk():
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += (folder / name for name in sorted(names) if not name.startswith("."))
    return [path for path in found if path.suffix.lower() in TEXT | HTML | LINES and _lies_here(path)]


def _lies_here(path: Path) -> bool:
    """A link may lead out of the folder, and a pipe never ends."""
    return path.is_file() and not path.is_symlink()


def holds_documents(path: Path) -> bool:
    """False for a `.jsonl` of something else, judged by its first line."""
    if path.suffix.lower() not in LINES:
        return True
    try:
        with path.open("rb") as file:
            first = next((line for line in file if line.strip()), b"")
    except OSError:
        return True
    return isinstance(_read_line(path.name, 1, first), Local)


def count(files: list[Path]) -> int:
    """How many documents there are, to measure progress by; what cannot be read counts for one."""
    return sum(_lines_in(path) if path.suffix.lower() in LINES else 1 for path in files)


def _lines_in(path: Path) -> int:
    try:
        with path.open("rb") as file:
            return sum(1 for line in file if line.strip())
    except OSError:
        return 1


def documents_in(source: Path, path: Path) -> Iterator[Local | Unreadable]:
    """What the file holds: one document, or one for each line of a `.jsonl`."""
    name = path.name if path == source else path.relative_to(source).as_posix()
    try:
        name.encode()
    except UnicodeEncodeError:
        yield Unreadable(ascii(name), "the file's name is not UTF-8")
        return
    try:
        yield from _read(name, path)
    except OSError as error:
        yield Unreadable(name, (error.strerror or str(error)).lower())


def _read(name: str, path: Path) -> Iterator[Local | Unreadable]:
    kind = path.suffix.lower()
    if kind in LINES:
        yield from _read_lines(name, path)
    elif kind in HTML:
        body = path.read_bytes()
        yield Local(name, "", "", hashlib.sha256(body).hexdigest(), upload=body)
    elif kind in TEXT:
        yield _read_text(name, path, kind)
    else:
        yield Unreadable(name, f"{kind or 'a file without an ending'} is no kind that can be imported")


def _read_text(name: str, path: Path, kind: str) -> Local | Unreadable:
    try:
        content = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return Unreadable(name, f"not UTF-8 text (byte {error.start})")
    heading = HEADING.search(content) if kind in MARKDOWN else None
    return _local(name, heading[1].rstrip(" \t\r#") if heading else path.stem, content)


def _read_lines(name: str, path: Path) -> Iterator[Local | Unreadable]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield _read_line(name, number, line)


def _read_line(name: str, number: int, line: bytes) -> Local | Unreadable:
    try:
        record: object = json.loads(line)
    except (ValueError, RecursionError):
        return Unreadable(f"{name}#{number}", "the line is not JSON")
    if not isinstance(record, dict):
        return Unreadable(f"{name}#{number}", "the line is not an object")
    id_ = record.get("id", record.get("_id"))
    title, text = record.get("title"), record.get("text")
    if not isinstance(id_, str | int) or not isinstance(title, str) or not isinstance(text, str):
        return Unreadable(f"{name}#{number}", "the line lacks id, title or text")
    return _local(f"{name}#{id_}", title or str(id_), text)


def _local(external_id: str, title: str, content: str) -> Local | Unreadable:
    try:
        (external_id + title).encode()
        digest = hashlib.sha256(content.encode()).hexdigest()
    except UnicodeEncodeError:
        return Unreadable(ascii(external_id)[1:-1], "half a character (a lone surrogate) stands in it")
    return Local(external_id, title.strip()[:MAX_TITLE].strip(), content, digest)
