"""Reads a folder's documents. The `external_id` is the path in the folder, so a second import recognizes it."""

from __future__ import annotations

import hashlib
import json
import os
import unicodedata
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final, Self

from pydantic import JsonValue

from partywall.formats.file_kinds import IMAGES, MEDIA_TYPES, SOURCE_CODE
from partywall.formats.markdown_title import described
from partywall.formats.text_signs import HEAD, is_pdf, is_wide, package_type

TEXT: Final = {".txt", ".md", ".markdown", ".mdx"}
MARKDOWN: Final = {".md", ".markdown", ".mdx"}
HTML: Final = {".html", ".htm"}
LINES: Final = {".jsonl"}
# The server reads their text.
UPLOADED: Final = frozenset(MEDIA_TYPES) - TEXT - HTML
KINDS: Final = TEXT | HTML | LINES | UPLOADED
# `holds_documents` reads this many lines of a `.jsonl` file.
FIRST_LINES: Final = 20
NOT_TEXT: Final = "it contains NUL characters (U+0000), so it is not text"
MAX_CONTENT_BYTES: Final = 10 * 1024 * 1024
PIECE_BYTES: Final = 1024 * 1024
LARGE_TEXT: Final = f"its text is larger than {MAX_CONTENT_BYTES:,} bytes"
MAX_TITLE: Final = 500
MAX_EXTERNAL_ID: Final = 512
LONG_PATH: Final = f"its path or id is longer than {MAX_EXTERNAL_ID} characters"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file whose text the server reads, as it was when it was hashed. `changed_at` is in nanoseconds."""

    path: Path
    size: int
    changed_at: int

    @classmethod
    def of(cls, path: Path, file: BinaryIO) -> Self:
        found = os.fstat(file.fileno())
        return cls(path, found.st_size, found.st_mtime_ns)


@dataclass(frozen=True, slots=True)
class LocalDocument:
    """A local document; with `upload` it has no content of its own.

    `metadata` is what a Markdown file says in its front matter. `line` is the file and line number of a document of a
    `.jsonl`.
    """

    external_id: str
    title: str
    content: str
    sha256: str
    upload: SourceFile | None = None
    media_type: str = "text/plain"
    metadata: dict[str, JsonValue] = field(default_factory=dict)
    line: str = field(default="", compare=False)

    @property
    def place(self) -> str:
        """Where the user finds the document."""
        return self.line or self.external_id


@dataclass(frozen=True, slots=True)
class UnreadableFile:
    name: str
    reason: str


def holds_documents(path: Path) -> bool:
    """Returns False for a `.jsonl` without a document in its first `FIRST_LINES` lines."""
    if path.suffix.lower() not in LINES:
        return True
    try:
        with path.open("rb") as file:
            first = list(islice((line for line in file if line.strip()), FIRST_LINES))
    except OSError:
        return True
    return any(isinstance(_read_line(path.name, 1, line), LocalDocument) for line in first)


def count(files: Iterable[Path]) -> int:
    """Returns the number of documents, for the progress bar; an unreadable file counts as one."""
    return sum(_lines_in(path) if path.suffix.lower() in LINES else 1 for path in files)


def _lines_in(path: Path) -> int:
    try:
        with path.open("rb") as file:
            return sum(1 for line in file if line.strip())
    except OSError:
        return 1


def name_in(source: Path, path: Path, prefix: str = "") -> str:
    """Returns the file's path in the source, composed (NFC): some systems store names decomposed.

    `prefix` is empty or ends with a slash.
    """
    return unicodedata.normalize("NFC", prefix + (path.name if path == source else path.relative_to(source).as_posix()))


def documents_in(source: Path, path: Path, prefix: str = "") -> Iterator[LocalDocument | UnreadableFile]:
    """Yields the file's document, or one for each line of a `.jsonl`."""
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
    elif kind in TEXT:
        yield _read_text(name, path, kind)
    elif kind in HTML | UPLOADED | SOURCE_CODE | IMAGES:
        yield _read_file(name, path, kind)
    else:
        yield UnreadableFile(name, f"{f'{kind} files' if kind else 'files without an extension'} cannot be imported")


def _read_file(name: str, path: Path, kind: str) -> LocalDocument | UnreadableFile:
    """Hashes the file without holding it in memory."""
    if len(name) > MAX_EXTERNAL_ID:
        return UnreadableFile(name, LONG_PATH)
    digest = hashlib.sha256()
    with path.open("rb") as file:
        source = SourceFile.of(path, file)
        head = file.read(HEAD)
        is_text = kind in HTML | TEXT and not (is_wide(head) or _is_binary(head))
        file.seek(0)
        while piece := file.read(PIECE_BYTES):
            if is_text and b"\0" in piece:
                return UnreadableFile(name, NOT_TEXT)
            digest.update(piece)
    return LocalDocument(name, "", "", digest.hexdigest(), upload=source)


def _is_binary(head: bytes) -> bool:
    """Whether the server reads something else than text in it, whatever its name is."""
    return is_pdf(head, says_so=False) or package_type(head) is not None


def _read_text(name: str, path: Path, kind: str) -> LocalDocument | UnreadableFile:
    with path.open("rb") as file:
        body = file.read(MAX_CONTENT_BYTES + len(BOM_UTF8) + 1)
    if not body or is_wide(body[:HEAD]) or _is_binary(body[:HEAD]):
        return _read_file(name, path, kind)
    if len(body.removeprefix(BOM_UTF8)) > MAX_CONTENT_BYTES:
        return UnreadableFile(name, LARGE_TEXT)
    try:
        content = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return _read_file(name, path, kind)
    if kind not in MARKDOWN:
        return _local(name, path.stem, content)
    said = described(content)
    found = _local(name, said.title or path.stem, content)
    if isinstance(found, UnreadableFile):
        return found
    return replace(found, media_type="text/markdown", metadata=said.metadata)


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
        return UnreadableFile(f"{name} line {number}", "its id is neither text nor a number")
    if not isinstance(id_, str | int) or not isinstance(title, str) or not isinstance(text, str):
        return UnreadableFile(f"{name} line {number}", "id, title or text is missing")
    place = f"{name} line {number}"
    document = _local(unicodedata.normalize("NFC", f"{name}#{id_}"), title or str(id_), text)
    return replace(document, line=place) if isinstance(document, LocalDocument) else replace(document, name=place)


def _local(external_id: str, title: str, content: str) -> LocalDocument | UnreadableFile:
    try:
        (external_id + title).encode()
        encoded = content.encode()
    except UnicodeEncodeError:
        return UnreadableFile(ascii(external_id)[1:-1], "it contains half a character (a lone surrogate)")
    if "\0" in content or "\0" in title or "\0" in external_id:
        return UnreadableFile(external_id.replace("\0", "\\0"), NOT_TEXT)
    if len(external_id) > MAX_EXTERNAL_ID:
        return UnreadableFile(external_id, LONG_PATH)
    if len(encoded) > MAX_CONTENT_BYTES:
        return UnreadableFile(external_id, LARGE_TEXT)
    digest = hashlib.sha256(encoded).hexdigest()
    return LocalDocument(external_id, title.strip()[:MAX_TITLE].strip(), content, digest)
