"""Finds citation marks in answers, and quotes in documents."""

from __future__ import annotations

import re
from itertools import islice
from typing import Final, NamedTuple

from partywall.features.agents.builtin.sentences import sentences
from partywall.formats.readable_text import ReadableText, readable_text

_MARK: Final = re.compile(r"\[(\d{1,3}(?:\s*,\s*\d{1,3})*)\]")
_WORD: Final = re.compile(r"\S+")
# In characters. In longer texts quotes have to be written with the marks of Markdown.
_LONGEST_READ: Final = 512 * 1024


class Span(NamedTuple):
    """Offsets in characters."""

    start: int
    end: int


class DocumentText:
    """A document's text, in which quotes are found as they stand there, and as the passages of a search show them."""

    def __init__(self, content: str, media_type: str) -> None:
        self._written = Text(content)
        self._media_type = media_type
        self._content = content
        self._read: tuple[ReadableText, Text] | None = None

    def find(self, quote: str) -> Span | None:
        """The first occurrence in the content, or None."""
        found = self._written.find(quote)
        if found is not None or len(self._content) > _LONGEST_READ:
            return found
        if self._read is None:
            read = readable_text(self._content, self._media_type)
            self._read = read, Text(read.text)
        span = self._read[1].find(quote)
        return None if span is None else Span(*self._read[0].span(*span))


class Text:
    """A text, searchable for quotes regardless of whitespace."""

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
