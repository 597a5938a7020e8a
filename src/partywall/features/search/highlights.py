"""Finds the query's words in a returned text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice
from typing import Final

# Unicode noncharacters, reserved for internal use: text that contains them gets no highlights.
OPEN: Final = "\ufdd0"
CLOSE: Final = "\ufdd1"

# Per text: a one-letter word may occur a thousand times.
MOST: Final = 100

_MARKED: Final = re.compile(f"{OPEN}([^{OPEN}{CLOSE}]*){CLOSE}")


@dataclass(frozen=True, slots=True)
class Span:
    """`text[start:end]`, in characters."""

    start: int
    end: int


def spans(marked: str, text: str) -> list[Span]:
    """The first MOST spans of `text` that `marked` encloses in OPEN and CLOSE; none if the two texts differ."""
    if marked.replace(OPEN, "").replace(CLOSE, "") != text or OPEN in text or CLOSE in text:
        return []
    found = enumerate(islice(_MARKED.finditer(marked), MOST))
    return [Span(match.start() - 2 * before, match.end() - 2 * before - 2) for before, match in found]
