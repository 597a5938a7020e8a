"""Finds citation marks in answers, and quotes in documents."""

from __future__ import annotations

import re
from itertools import islice
from typing import Final, NamedTuple

from partywall.features.agents.builtin.sentences import sentences

_MARK: Final = re.compile(r"\[(\d{1,3}(?:\s*,\s*\d{1,3})*)\]")
_WORD: Final = re.compile(r"\S+")


class Span(NamedTuple):
    """Offsets in characters."""

    start: int
    end: int


class Text:
    """A document's text, searchable for quotes regardless of whitespace."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._flat = ""

    def find(self, quote: str) -> Span | None:
        """The first occurrence of the quote, or None. Takes time linear in the text for any input."""
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
        """Maps the position of a non-blank character in the flattened text to the original text."""
        number = self._flat.count(" ", 0, position)
        inside = position - (self._flat.rfind(" ", 0, position) + 1)
        word = next(islice(_WORD.finditer(self._text), number, None))
        return word.start() + inside


def marks(text: str) -> set[int]:
    """The numbers in square brackets."""
    return {int(number) for match in _MARK.finditer(text) for number in match.group(1).split(",")}


def claims(answer: str) -> list[str]:
    """The sentences that contain more than numbers in brackets."""
    return [each for each in sentences(answer) if any(letter.isalnum() for letter in _MARK.sub("", each))]


def unmarked(answer: str) -> list[str]:
    """The sentences without a number."""
    return [claim for claim in claims(answer) if not _MARK.search(claim)]
