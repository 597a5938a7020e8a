"""Texts of one line, such as titles."""

from __future__ import annotations

import re
from typing import Final

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_WITHOUT_WIDTH: Final = re.compile("[\u200b\u2060\ufeff]")


def one_line(text: str) -> str:
    """The text without control characters; empty if nothing of it is visible."""
    line = " ".join(_WITHOUT_WIDTH.sub("", _CONTROL.sub(" ", text)).split())
    return line if any(each.isprintable() for each in line.replace(" ", "")) else ""
