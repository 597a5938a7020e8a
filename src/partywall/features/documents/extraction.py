"""Determines an uploaded file's media type and extracts its text."""

from __future__ import annotations

import re
from codecs import getincrementaldecoder
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final

from partywall.core.schemas import JsonObject
from partywall.features.documents.constants import LANGUAGE, MAX_TITLE, PLAIN_TEXT
from partywall.features.documents.exceptions import NotTextError, NotUtf8Error
from partywall.features.documents.html_text import Page, markdown_of
from partywall.formats.file_kinds import CONTAINERS, MEDIA_TYPES, media_type_by_name
from partywall.formats.markdown_title import described
from partywall.formats.one_line import one_line
from partywall.formats.text_signs import image_type, is_pdf, is_text, is_wide, package_type

MARKDOWN: Final = "text/markdown"
HTML: Final = "text/html"
_KNOWN: Final = {
    PLAIN_TEXT: PLAIN_TEXT,
    MARKDOWN: MARKDOWN,
    "text/x-markdown": MARKDOWN,
    HTML: HTML,
    "application/xhtml+xml": HTML,
    "text/xml": "application/xml",
}
# Text that is kept as it is; HTML becomes Markdown. All other files are read by a worker.
READ_AT_ONCE: Final = frozenset(
    {PLAIN_TEXT, MARKDOWN, HTML, "text/csv", "text/tab-separated-values", "application/yaml", "application/toml",
     "application/x-tex"}
)  # fmt: skip
_PDF: Final = "application/pdf"
ZIP: Final = "application/zip"
_RTF: Final = "application/rtf"
_BINARY_NAMES: Final = ("application/vnd.", "application/msword", "application/epub", _PDF, _RTF)
_BINARY: Final = frozenset(type_ for type_ in MEDIA_TYPES.values() if type_.startswith(_BINARY_NAMES))
ACCEPTED: Final = (
    "PDF, Office and OpenDocument files, mail, EPUB, RTF, ZIP, HTML, Markdown and other text are accepted."
)


@dataclass(frozen=True, slots=True)
class Extracted:
    """`metadata` is what the file says about itself."""

    title: str
    content: str
    metadata: JsonObject = field(default_factory=dict)


def plain_name(file_name: str | None) -> str | None:
    """The last component of a path of any operating system (RFC 7578, 4.2), or None if there is none."""
    name = re.split(r"[/\\]", file_name or "")[-1]
    return None if name in ("", ".", "..") else name


@dataclass(frozen=True, slots=True)
class FileType:
    """`is_wide`: the text is UTF-16 or UTF-32."""

    media_type: str
    is_wide: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether it is text in any encoding, or HTML. Formats like XML name the encoding themselves."""
        return self.media_type in READ_AT_ONCE or self.media_type.startswith("text/")

    @property
    def may_be_read_at_once(self) -> bool:
        return self.media_type in READ_AT_ONCE and not self.is_wide


def recognize(head: bytes, declared: str | None, file_name: str | None, *, images: bool = False) -> FileType:
    """The type of a file, by its first bytes; its name and the declared type tell kinds of text apart.

    Raises NotTextError if no reader reads it. `images` are read by OCR.
    """
    said = (declared or "").partition(";")[0].strip().lower()
    by_name = media_type_by_name(file_name or "")
    named = next((type_ for type_ in (by_name, said) if type_ in _BINARY), None)
    binary = _PDF if is_pdf(head, says_so=named == _PDF) else package_type(head)
    if binary is None and not is_text(head):
        binary = (image_type(head) if images else None) or named  # damaged, as its reader will say
        if binary is None:
            raise NotTextError(ACCEPTED)
    if binary is not None:
        return FileType((named if binary in CONTAINERS else None) or binary)
    return FileType(_text_type(said, by_name), is_wide=is_wide(head))


def _text_type(said: str, by_name: str | None) -> str:
    """The declared media type, or else the one of the name. Many programs declare Markdown as plain text.

    Text of any other kind, such as a README or a configuration file, is plain text.
    """
    if said == PLAIN_TEXT and by_name == MARKDOWN:
        return MARKDOWN
    if said in _KNOWN:
        return _KNOWN[said]
    if by_name is not None:
        return by_name
    return said if said in MEDIA_TYPES.values() else PLAIN_TEXT


def extract(data: bytes, media_type: str, file_name: str | None) -> Extracted:
    """Title and text: HTML becomes Markdown, other text stays as it is. Raises NotTextError if it is not UTF-8 text."""
    text = Utf8Decoder().decode(data, last=True)
    return of_page(markdown_of(text), file_name) if media_type == HTML else of_text(text, media_type, file_name)


class Utf8Decoder:
    """Decodes text piece by piece. Raises NotUtf8Error, or NotTextError if it contains NUL."""

    def __init__(self) -> None:
        self._decoder = getincrementaldecoder("utf-8")()
        self._taken = 0

    def decode(self, piece: bytes, *, last: bool = False) -> str:
        waiting = len(self._decoder.getstate()[0])
        try:
            text = self._decoder.decode(piece, last)
        except UnicodeDecodeError as error:
            at = self._taken - waiting + error.start
            raise NotUtf8Error(f"The file is not UTF-8 text (at byte {at}).") from error
        if "\x00" in text:
            raise NotTextError("The file contains NUL bytes, so it is not text.")
        self._taken += len(piece)
        return text


def of_text(text: str, media_type: str, file_name: str | None) -> Extracted:
    if media_type != MARKDOWN:
        return Extracted(title_of("", file_name), text)
    said = described(text)
    return Extracted(title_of(said.title, file_name), text, said.metadata)


def of_page(page: Page, file_name: str | None) -> Extracted:
    said: JsonObject = {LANGUAGE: page.language} if page.language else {}
    return Extracted(title_of(page.title, file_name), page.text, said)


def title_of(own: str, file_name: str | None) -> str:
    for candidate in (own, PurePosixPath(file_name or "").stem):
        title = one_line(candidate)[:MAX_TITLE].strip()
        if title:
            return title
    return "Untitled"
