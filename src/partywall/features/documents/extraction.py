"""Determines an uploaded file's media type and extracts its text."""

from __future__ import annotations

import re
from codecs import getincrementaldecoder
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from partywall.core.http.charsets import other_charset
from partywall.features.documents.constants import MAX_TITLE, PLAIN_TEXT
from partywall.features.documents.exceptions import NotTextError
from partywall.features.documents.html_text import Page, markdown_of
from partywall.formats.markdown_title import markdown_title, one_line

MARKDOWN: Final = "text/markdown"
HTML: Final = "text/html"
_KNOWN: Final = {
    PLAIN_TEXT: PLAIN_TEXT,
    MARKDOWN: MARKDOWN,
    "text/x-markdown": MARKDOWN,
    HTML: HTML,
    "application/xhtml+xml": HTML,
}
_BY_SUFFIX: Final = {
    ".txt": PLAIN_TEXT,
    ".text": PLAIN_TEXT,
    ".md": MARKDOWN,
    ".markdown": MARKDOWN,
    ".html": HTML,
    ".htm": HTML,
    ".xhtml": HTML,
}
_UNSAID: Final = frozenset({"", "application/octet-stream", "binary/octet-stream"})


@dataclass(frozen=True, slots=True)
class Extracted:
    title: str
    content: str


def plain_name(file_name: str | None) -> str | None:
    """The last component of a path of any operating system (RFC 7578, 4.2), or None if there is none."""
    name = re.split(r"[/\\]", file_name or "")[-1]
    return None if name in ("", ".", "..") else name


def media_type_of(declared: str | None, file_name: str | None) -> str:
    """The declared media type, or else the one of the file name's suffix. Raises NotTextError if it is not accepted."""
    declared = declared or ""
    plain = declared.partition(";")[0].strip().lower()
    by_name = _BY_SUFFIX.get(PurePosixPath(file_name or "").suffix.lower())
    charset = other_charset(declared.encode("latin-1", "replace"))
    if charset is not None:
        raise NotTextError(f"The charset {charset[:40]!r} is not supported; send UTF-8.")
    if plain in _UNSAID and by_name is not None:
        return by_name
    if plain == PLAIN_TEXT and by_name == MARKDOWN:
        return MARKDOWN
    if plain not in _KNOWN:
        raise NotTextError("Plain text, Markdown and HTML are accepted.")
    return _KNOWN[plain]


def extract(data: bytes, media_type: str, file_name: str | None) -> Extracted:
    """Title and text: HTML becomes Markdown, other text stays as it is. Raises NotTextError if it is not UTF-8 text."""
    text = Utf8Decoder().decode(data, last=True)
    return of_page(markdown_of(text), file_name) if media_type == HTML else of_text(text, media_type, file_name)


class Utf8Decoder:
    """Decodes text piece by piece. Raises NotTextError if the bytes are not UTF-8 or contain NUL."""

    def __init__(self) -> None:
        self._decoder = getincrementaldecoder("utf-8")()
        self._taken = 0

    def decode(self, piece: bytes, *, last: bool = False) -> str:
        waiting = len(self._decoder.getstate()[0])
        try:
            text = self._decoder.decode(piece, last)
        except UnicodeDecodeError as error:
            at = self._taken - waiting + error.start
            raise NotTextError(f"The file is not UTF-8 text (at byte {at}).") from error
        if "\x00" in text:
            raise NotTextError("The file contains NUL bytes, so it is not text.")
        self._taken += len(piece)
        return text


def of_text(text: str, media_type: str, file_name: str | None) -> Extracted:
    return Extracted(_title(markdown_title(text) if media_type == MARKDOWN else "", file_name), text)


def of_page(page: Page, file_name: str | None) -> Extracted:
    return Extracted(_title(page.title, file_name), page.text)


def _title(own: str, file_name: str | None) -> str:
    for candidate in (own, PurePosixPath(file_name or "").stem):
        title = one_line(candidate)[:MAX_TITLE].strip()
        if title:
            return title
    return "Untitled"
