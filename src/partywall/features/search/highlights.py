"""Which characters of a returned text the query's words are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice
from typing import Final

# Noncharacters of Unicode, reserved for use inside a program: text that carries them is shown without highlights.
OPEN: Final = "\ufdd0"
CLOSE: Final = "\ufdd1"

# Of one text: a word of one letter may be there a thousand times.
MOST: Final = 100

_MARKED: Final = re.compile(f"{OPEN}([^{OPEN}{CLOSE}]*){CLOSE}")


@dataclass(frozen=True, slots=True)
class Span:
    """`text[start:end]`, in characters."""

    start: int
    end: int


def spans(marked: str, text: str) -> list[Span]:
    """The first spans of `text` that `marked` encloses in OPEN and CLOSE; none where the two are not the same text."""
    if marked.replace(OPEN, "").replace(CLOSE, "") != text or OPEN in text or CLOSE in text:
        return []
    found = enumerate(islice(_MARKED.finditer(marked), MOST))
    return [Span(match.start() - 2 * before, match.end() - 2 * before - 2) for before, match in found]
