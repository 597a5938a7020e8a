"""Whether an answer cites what stands in the documents."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Final, NamedTuple

_MARK: Final = re.compile(r"\[(\d{1,3}(?:\s*,\s*\d{1,3})*)\]")
_WORD: Final = re.compile(r"\S+")
# A sentence ends with a stop before a blank or a mark, and takes the marks behind it.
_STOP: Final = r"(?:[.!?\u2026]+[^\w\s\[]*(?=\s|$|\[\d)|[\u3002\uff01\uff1f]+)"
_END: Final = re.compile(_STOP + r"(?:\s*\[\d{1,3}(?:\s*,\s*\d{1,3})*\])*")
_ABBREVIATION: Final = re.compile(r"(?:\b\w+\.\w+|\b[A-Z]\w{0,2})\.$")
# Below this a piece is a "Yes." or a heading, and belongs to its neighbour.
_CLAIM_LETTERS: Final = 12


class Span(NamedTuple):
    """In characters."""

    start: int
    end: int


class Text:
    """A document's text, made ready to look for quotes in it whatever their blanks and line breaks."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._flat = ""

    def find(self, quote: str) -> Span | None:
        """Where the quote first stands. Takes time in proportion to the text, whatever is in it."""
        at = self._text.find(quote)
        if at >= 0:
            return Span(at, at + len(quote))
        words = quote.split()
        self._flat = self._flat or " ".join(self._text.split())
        flat = " ".join(words)
        found = self._flat.find(flat)
        if not words or found < 0:
            return None
        return Span(self._place(found), self._place(found + len(flat) - 1) + 1)

    def _place(self, position: int) -> int:
        """Where in the text a character stands that is no blank and has this position in the flat one."""
        number = self._flat.count(" ", 0, position)
        inside = position - (self._flat.rfind(" ", 0, position) + 1)
        word = next(islice(_WORD.finditer(self._text), number, None))
        return word.start() + inside


def marks(text: str) -> set[int]:
    """The numbers in square brackets."""
    return {int(number) for match in _MARK.finditer(text) for number in match.group(1).split(",")}


def unmarked(answer: str) -> list[str]:
    """The sentences that carry no number; headings and lines that introduce a list are none."""
    lines = (line.strip() for line in answer.splitlines())
    claims = (line for line in lines if line and not line.startswith("#") and not line.endswith(":"))
    return [sentence for line in claims for sentence in _sentences(line) if not marks(sentence)]


def _sentences(line: str) -> Iterator[str]:
    """What is too short to say anything is joined to what follows, and left out at the end where there is more."""
    found = False
    begun = ""
    for piece in _pieces(line):
        begun += piece
        if marks(begun) or (_letters(begun) >= _CLAIM_LETTERS and not _ABBREVIATION.search(begun)):
            yield begun.strip()
            found, begun = True, ""
    if begun.strip() and (not found or _letters(begun) >= _CLAIM_LETTERS):
        yield begun.strip()


def _pieces(line: str) -> Iterator[str]:
    at = 0
    for end in _END.finditer(line):
        if not line[end.end() :].lstrip()[:1].islower():
            yield line[at : end.end()]
            at = end.end()
    if at < len(line):
        yield line[at:]


def _letters(text: str) -> int:
    return sum(each.isalnum() for each in text)
