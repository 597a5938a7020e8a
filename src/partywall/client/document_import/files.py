"""The documents of a folder. Each one's `external_id` is its path in there, by which a second import knows it again."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Final

from partywall.formats.markdown_title import markdown_title

TEXT: Final = {".txt", ".md", ".markdown"}
MARKDOWN: Final = {".md", ".markdown"}
HTML: Final = {".html", ".htm"}
LINES: Final = {".jsonl"}
KINDS: Final = TEXT | HTML | LINES
# So many lines say what a `.jsonl` file holds.
FIRST_LINES: Final = 20
NOT_TEXT: Final = "it holds NUL characters (U+0000): that is no text"
MAX_TITLE: Final = 500
MAX_EXTERNAL_ID: Final = 512
LONG_PATH: Final = f"its path or id is longer than {MAX_EXTERNAL_ID} characters"


@dataclass(frozen=True, slots=True)
class LocalDocument:
    """A document as it lies here. `upload` holds a page's bytes, from which the server takes the text.

    `line` says where in its file it stands, for those of a `.jsonl`.
    """

    external_id: str
    title: str
    content: str
    sha256: str
    upload: bytes | None = None
    line: str = field(default="", compare=False)

    @property
    def place(self) -> str:
        """By which a person finds it."""
        return self.line or self.external_id


@dataclass(frozen=True, slots=True)
class UnreadableFile:
    name: str
    reason: str


def holds_documents(path: Path) -> bool:
    """False for a `.jsonl` of something else: none of its first lines is a document."""
    if path.suffix.lower() not in LINES:
        return True
    try:
        with path.open("rb") as file:
            first = list(islice((line for line in file if line.strip()), FIRST_LINES))
    except OSError:
        return True
    return any(isinstance(_read_line(path.name, 1, line), LocalDocument) for line in first)


def count(files: list[Path]) -> int:
    """How many documents there are, to measure progress by; what cannot be read counts for one."""
    return sum(_lines_in(path) if path.suffix.lower() in LINES else 1 for path in files)


def _lines_in(path: Path) -> int:
    try:
        with path.open("rb") as file:
            return sum(1 for line in file if line.strip())
    except OSError:
        return 1


def name_in(source: Path, path: Path, prefix: str = "") -> str:
    """The file's path in the source, composed (NFC): some systems store names decomposed.

    `prefix` is empty or ends with a slash.
    """
    return unicodedata.normalize("NFC", prefix + (path.name if path == source else path.relative_to(source).as_posix()))


def documents_in(source: Path, path: Path, prefix: str = "") -> Iterator[LocalDocument | UnreadableFile]:
    """What the file holds: one document, or one for each line of a `.jsonl`."""
    name = name_in(source, path, prefix)
    try:
        name.encode()
    except UnicodeEncodeError:
        yield UnreadableFile(ascii(name), "the file's name is not UTF-8")
        return
    try:
        yield from _read(name, path)
    except OSError as error:
        yield UnreadableFile(name, (error.strerror or str(error)).lower())


def _read(name: str, path: Path) -> Iterator[LocalDocument | UnreadableFile]:
    kind = path.suffix.lower()
    if kind in LINES:
        yield from _read_lines(name, path)
    elif kind in HTML:
        body = path.read_bytes()
        if b"\0" in body or len(name) > MAX_EXTERNAL_ID:
            yield UnreadableFile(name, NOT_TEXT if b"\0" in body else LONG_PATH)
            return
        yield LocalDocument(name, "", "", hashlib.sha256(body).hexdigest(), upload=body)
    elif kind in TEXT:
        yield _read_text(name, path, kind)
    else:
        yield UnreadableFile(name, f"{kind or 'a file without an ending'} is no kind that can be imported")


def _read_text(name: str, path: Path, kind: str) -> LocalDocument | UnreadableFile:
    try:
        content = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return UnreadableFile(name, f"not UTF-8 text (byte {error.start})")
    title = markdown_title(content) if kind in MARKDOWN else ""
    return _local(name, title or path.stem, content)


def _read_lines(name: str, path: Path) -> Iterator[LocalDocument | UnreadableFile]:
    first_seen: dict[str, int] = {}
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            document = _read_line(name, number, line)
            if isinstance(document, LocalDocument):
                before = first_seen.setdefault(document.external_id, number)
                if before != number:
                    document = UnreadableFile(f"{name} line {number}", f"line {before} has the same id")
            yield document


def _read_line(name: str, number: int, line: bytes) -> LocalDocument | UnreadableFile:
    try:
        record: object = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
    except UnicodeDecodeError:
        return UnreadableFile(f"{name} line {number}", "not UTF-8 text")
    except (ValueError, RecursionError):
        return UnreadableFile(f"{name} line {number}", "not JSON")
    if not isinstance(record, dict):
        return UnreadableFile(f"{name} line {number}", "not an object")
    id_ = record.get("id", record.get("_id"))
    title, text = record.get("title"), record.get("text")
    if isinstance(id_, bool) or id_ == "":
        return UnreadableFile(f"{name} line {number}", "its id is no text and no number")
    if not isinstance(id_, str | int) or not isinstance(title, str) or not isinstance(text, str):
        return UnreadableFile(f"{name} line {number}", "id, title or text is missing")
    place = f"{name} line {number}"
    document = _local(unicodedata.normalize("NFC", f"{name}#{id_}"), title or str(id_), text)
    return replace(document, line=place) if isinstance(document, LocalDocument) else replace(document, name=place)


def _local(external_id: str, title: str, content: str) -> LocalDocument | UnreadableFile:
    try:
        (external_id + title).encode()
        digest = hashlib.sha256(content.encode()).hexdigest()
    except UnicodeEncodeError:
        return UnreadableFile(ascii(external_id)[1:-1], "half a character (a lone surrogate) stands in it")
    if "\0" in content or "\0" in title or "\0" in external_id:
        return UnreadableFile(external_id.replace("\0", "\\0"), NOT_TEXT)
    if len(external_id) > MAX_EXTERNAL_ID:
        return UnreadableFile(external_id, LONG_PATH)
    return LocalDocument(external_id, title.strip()[:MAX_TITLE].strip(), content, digest)
