"""Cleans text, and writes it so that a Markdown reader takes no line of it for a heading, table or fence.

Marks inside a line stay as they are: what our readers write has no emphasis, links or tags.
"""

from __future__ import annotations

import re
from typing import Final

# Invisible: control characters, soft hyphens, zero-width spaces, and the private characters of icon fonts.
_UNSEEN: Final = re.compile("[\x00-\x08\x0e-\x1f\x7f\u00ad\u200b\u2060\ufeff\ue000-\uf8ff\ufffe\uffff\ud800-\udfff]")
_SPACES: Final = re.compile(r"[ \t\r\n\f\v\u00a0]+")
_MARK: Final = re.compile(r"#{1,6}(?:\s|$)|`{3}|~{3}|[-=|:][\s|:=-]*$")
_TICKS: Final = re.compile(r"`{3,}+")


def clean(text: str) -> str:
    return _UNSEEN.sub("", text)


def squeezed(text: str) -> str:
    return _SPACES.sub(" ", text)


def is_mark(line: str) -> bool:
    return _MARK.match(line) is not None


def escaped(line: str) -> str:
    return f"\\{line}" if is_mark(line) else line


def fenced(text: str, language: str) -> str:
    longest = max((len(ticks) for ticks in _TICKS.findall(text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"
