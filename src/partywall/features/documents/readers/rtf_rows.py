"""Marks the rows of tables in RTF that have cells only. Without the mark kreuzberg loses their text."""

from __future__ import annotations

import re
from typing import Final

_WORD: Final = re.compile(rb"\\(?:([a-z]{1,32})(?:-?\d{1,10})? ?|[^a-z])", re.DOTALL)
_MARKS: Final = (b"trowd", b"intbl")
_CELLS: Final = (b"cell", b"row")
_ENDS: Final = (b"row", b"par", b"rtf")
_ROW: Final = b"\\trowd "


def with_marked_rows(data: bytes) -> bytes:
    """The file with `\\trowd` at the beginning of each row that has neither that nor `\\intbl`."""
    parts: list[bytes] = []
    copied, begin, is_marked = 0, 0, False
    for word in _WORD.finditer(data):
        if word[1] in _MARKS:
            is_marked = True
        elif word[1] in _CELLS:
            if not is_marked:
                parts += data[copied:begin], _ROW
                copied = begin
            is_marked = word[1] == b"cell"
        if word[1] in _ENDS:
            begin = word.end()
    return b"".join((*parts, data[copied:]))
