"""Recognizes text in any encoding by the beginning of a file."""

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


def is_text(head: bytes) -> bool:
    """Whether the beginning of a file looks like text in any encoding."""
    if head.startswith(tuple(mark for mark, _ in MARKS)) or wide_charset(head):
        return True
    controls = sum(head.count(bytes((code,))) for code in (*range(9), *range(14, 27), *range(28, 32)))
    return b"\0" not in head and controls * 100 <= len(head)


def is_wide(head: bytes) -> bool:
    """Whether the text is UTF-16 or UTF-32."""
    return head.startswith(tuple(mark for mark, name in MARKS if name != "utf-8")) or bool(wide_charset(head))


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
