"""Recognizes text in any encoding, PDF and images by the beginning of a file."""

from __future__ import annotations

import codecs
from typing import Final
from unicodedata import category

from partywall.formats.file_kinds import OLE

# The longer mark of UTF-32 begins with that of UTF-16.
MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
HEAD: Final = 2_048
_ESCAPES_FROM: Final = 64 * 1024
_ESCAPES: Final = (
    (b"\x1b$B", "iso2022_jp"), (b"\x1b$@", "iso2022_jp"), (b"\x1b(J", "iso2022_jp"), (b"\x1b$)C", "iso2022_kr"),
)  # fmt: skip
_BETWEEN_WORDS: Final = " \n,.\u3000\u3001\u3002\uff0c"
_KANA: Final = range(0x3040, 0x3100)
_MUCH_KANA: Final = 0.6
EMPTY_ZIP: Final = b"PK\x05\x06"
_PACKAGES: Final = (
    (b"PK\x03\x04", "application/zip"), (EMPTY_ZIP, "application/zip"), (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", OLE),
    (b"{\\rtf", "application/rtf"),
)  # fmt: skip
_PDF_MARK: Final = b"%PDF-"
_PDF_HEAD: Final = 1_024
_IMAGES: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
)  # fmt: skip


def is_text(head: bytes) -> bool:
    """Whether the beginning of a file looks like text in any encoding. UTF-8 may have any control character but NUL."""
    if head.startswith(tuple(mark for mark, _ in MARKS)) or wide_charset(head):
        return True
    controls = sum(head.count(bytes((code,))) for code in (*range(9), *range(14, 27), *range(28, 32)))
    return b"\0" not in head and (controls * 100 <= len(head) or _is_utf8(head))


def is_pdf(head: bytes, *, says_so: bool) -> bool:
    """Whether a file is a PDF. Other data may precede its mark, but text that contains the mark is about PDF."""
    if _PDF_MARK not in head[:_PDF_HEAD]:
        return False
    return says_so or head.lstrip().startswith(_PDF_MARK) or not is_text(head)


def package_type(head: bytes) -> str | None:
    """The media type of an archive, of a file of an old Office program, or of RTF."""
    return next((type_ for mark, type_ in _PACKAGES if head.startswith(mark)), None)


def image_type(head: bytes) -> str | None:
    """The media type of an image that Tesseract reads."""
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image/webp"
    return next((type_ for mark, type_ in _IMAGES if head.startswith(mark)), None)


def is_wide(head: bytes) -> bool:
    """Whether the text is UTF-16, UTF-32 or ISO-2022: the last one consists of ASCII characters."""
    return (
        escaped_charset(head) != ""
        or head.startswith(tuple(mark for mark, name in MARKS if name != "utf-8"))
        or bool(wide_charset(head))
    )


def _is_utf8(head: bytes) -> bool:
    """The last character may be cut off."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return True


def escaped_charset(data: bytes) -> str:
    """Japanese or Korean in ISO-2022, by the escape sequences that begin it."""
    head = data[:_ESCAPES_FROM]
    return next((name for mark, name in _ESCAPES if mark in head), "")


def wide_charset(data: bytes) -> str:
    """UTF-32 or UTF-16 without a mark: by the zeros in every second or fourth byte, or by what characters it gives."""
    head = data[: HEAD & ~3]
    if len(head) < 8:
        return ""
    zeros = [head[at::4].count(0) * 4 / len(head) for at in range(4)]
    if zeros[3] == 1 and zeros[2] > 0.9 and zeros[0] < 0.5:
        return "utf-32-le"
    if zeros[0] == 1 and zeros[1] > 0.9 and zeros[3] < 0.5:
        return "utf-32-be"
    if max(zeros[0], zeros[2]) < 0.1 and min(zeros[1], zeros[3]) > 0.6:
        return "utf-16-le"
    if max(zeros[1], zeros[3]) < 0.1 and min(zeros[0], zeros[2]) > 0.6:
        return "utf-16-be"
    # Chinese and Japanese need no zeros, but their full stops have a control character in UTF-16.
    is_possible = head.count(0) < len(head) / 2 and (b"\0" in head or not _is_utf8(head))
    return _by_characters(head) if is_possible else ""


def _by_characters(head: bytes) -> str:
    """UTF-16 of other scripts. What is no text gives characters that do not exist, and lone surrogates."""
    likely = [name for name in ("utf-16-le", "utf-16-be") if _is_readable(head, name)]
    rows = {name: len(set(head[name == "utf-16-le" :: 2])) for name in likely}
    return min(likely, key=lambda name: rows[name], default="")


def _is_readable(head: bytes, charset: str) -> bool:
    try:
        text = codecs.getincrementaldecoder(charset)().decode(head)
    except UnicodeDecodeError:
        return False
    strange = sum(category(each) in ("Cc", "Cn", "Co") and each not in "\t\n\r\f" for each in text)
    spaces = sum(each in _BETWEEN_WORDS for each in text)
    kana = sum(ord(each) in _KANA for each in text)
    return strange == 0 and (spaces > 0 or kana > len(text) * _MUCH_KANA)
