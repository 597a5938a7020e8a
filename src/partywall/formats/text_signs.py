"""Recognizes text in any encoding, and PDF, by the beginning of a file."""

from __future__ import annotations

import codecs
from typing import Final

# The longer mark of UTF-32 begins with that of UTF-16.
MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
HEAD: Final = 2_048
_PDF_MARK: Final = b"%PDF-"
_PDF_HEAD: Final = 1_024


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


def is_wide(head: bytes) -> bool:
    """Whether the text is UTF-16 or UTF-32."""
    return head.startswith(tuple(mark for mark, name in MARKS if name != "utf-8")) or bool(wide_charset(head))


def _is_utf8(head: bytes) -> bool:
    """The last character may be cut off."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return True


def wide_charset(data: bytes) -> str:
    """UTF-32 or UTF-16 without a mark, if every second or fourth byte of a Latin text is zero."""
    head = data[: HEAD & ~3]
    if len(head) < 8:
        return ""
    zeros = [head[at::4].count(0) * 4 / len(head) for at in range(4)]
    if zeros[0] < 0.1 and min(zeros[1:]) > 0.9:
        return "utf-32-le"
    if zeros[3] < 0.1 and min(zeros[:3]) > 0.9:
        return "utf-32-be"
    if max(zeros[0], zeros[2]) < 0.1 and min(zeros[1], zeros[3]) > 0.6:
        return "utf-16-le"
    if max(zeros[1], zeros[3]) < 0.1 and min(zeros[0], zeros[2]) > 0.6:
        return "utf-16-be"
    return ""
