"""What the readers return, and why a file cannot be read."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pydantic import JsonValue  # not needed to run, and slow to import

PAGE_BREAK: Final = "\f"
"""Stands between pages, slides and sheets, so the page of a place in the text can be counted."""

MAX_TEXT: Final = 10 * 1024 * 1024


class Reason(StrEnum):
    """Why a file has no text that can be read. The first word of the document's `index_error`."""

    PASSWORD_PROTECTED = "password_protected"  # noqa: S105 - not a password
    EMPTY = "empty"
    NO_TEXT = "no_text"
    UNSUPPORTED = "unsupported"
    DAMAGED = "damaged"
    TOO_LARGE = "too_large"
    TOO_COSTLY = "too_costly"


MESSAGES: Final = {
    Reason.PASSWORD_PROTECTED: "The file is encrypted. Remove its password and upload it again.",
    Reason.EMPTY: "The file has no content (0 bytes).",
    Reason.NO_TEXT: "The file is valid, but has no text. It may hold only images, such as scanned pages.",
    Reason.UNSUPPORTED: "Files of this kind cannot be read.",
    Reason.DAMAGED: "The file is damaged or incomplete, and cannot be read.",
    Reason.TOO_LARGE: f"The file's text has more than {MAX_TEXT} bytes.",
    Reason.TOO_COSTLY: "Reading the file takes too much time or memory.",
}


class UnreadableFileError(Exception):
    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class FileText:
    """A file's text. `title` and `language` are the file's own, if it has them.

    `charset` is the encoding of a text file that is not UTF-8. `metadata` is what Markdown says in its front matter.
    """

    text: str
    title: str = ""
    language: str = ""
    charset: str = ""
    metadata: dict[str, JsonValue] = field(default_factory=dict)
