"""What the readers return, and why a file cannot be read."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pydantic import JsonValue  # not needed to run, and slow to import

MAX_TEXT: Final = 10 * 1024 * 1024
MAX_PAGES: Final = 20_000


class Reason(StrEnum):
    """Why a file has no text that can be read. The first word of the document's `index_error`."""

    PASSWORD_PROTECTED = "password_protected"  # noqa: S105 - not a password
    EMPTY = "empty"
    NO_TEXT = "no_text"
    UNSUPPORTED = "unsupported"
    DAMAGED = "damaged"
    TOO_LARGE = "too_large"
    TOO_COSTLY = "too_costly"
    TOO_MANY_FILES = "too_many_files"
    NESTED_ARCHIVE = "nested_archive"
    UNSAFE_NAME = "unsafe_name"
    SAME_PATH = "same_path"
    LONG_NAME = "long_name"
    EXTERNAL_ID_TAKEN = "external_id_taken"
    QUOTA = "quota"


MESSAGES: Final = {
    Reason.PASSWORD_PROTECTED: "The file is encrypted. Remove its password and upload it again.",
    Reason.EMPTY: "The file has no content.",
    Reason.NO_TEXT: "No text was found in the file.",
    Reason.UNSUPPORTED: "Files of this kind cannot be read.",
    Reason.DAMAGED: "The file is damaged or incomplete, and cannot be read.",
    Reason.TOO_LARGE: (
        f"The file is too large when unpacked, its text has more than {MAX_TEXT} bytes, or a PDF has more than"
        f" {MAX_PAGES} pages."
    ),
    Reason.TOO_COSTLY: "Reading the file takes too much time or memory.",
    Reason.TOO_MANY_FILES: "The archive has too many files. Split it.",
    Reason.NESTED_ARCHIVE: "An archive in an archive is not read. Upload it on its own.",
    Reason.UNSAFE_NAME: "The file's name leads out of the archive, or has characters that are not shown.",
    Reason.SAME_PATH: "The archive has several files with this path. The last one is read.",
    Reason.LONG_NAME: "The file's name, with that of the archive, is too long for an external id.",
    Reason.EXTERNAL_ID_TAKEN: "Another document has the file's external id.",
    Reason.QUOTA: "A quota of the project or its account would be exceeded.",
}


ONLY_IMAGES: Final = "It may hold only images, such as scanned pages."
"""Goes on after the message for `no_text`, of files of which this is likely."""


class UnreadableFileError(Exception):
    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class FileText:
    """A file's text. `title` and `language` are the file's own, if it has them.

    `charset` is the encoding of a text file that is not UTF-8. `metadata` is what Markdown says in its front matter.
    `media_type` is given if the file's name did not tell it. `ocr` says how much was read in images, if anything.
    `is_whole`: no part of the file was broken.
    """

    text: str
    title: str = ""
    language: str = ""
    charset: str = ""
    metadata: dict[str, JsonValue] = field(default_factory=dict)
    media_type: str = ""
    ocr: str = ""
    is_whole: bool = True
