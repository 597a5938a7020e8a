"""Splits a document into the passages that are indexed and returned."""

from __future__ import annotations

import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from partywall.features.search.machine_text import Span, readable
from partywall.formats.readable_text import ReadableText, readable_text

MAX_CHARACTERS: Final = 2400
"""The longest chunk; about 400 English words."""

_MERGED: Final = 800  # neighbouring sections are merged up to this length
_EARLIEST: Final = 0.6  # a cut is at least this fraction of the even share

LONGEST_HEADING: Final = 200
_MOST_SECTIONS: Final = 32

# The quantifiers are possessive (`++`, `*+`): without backtracking, every pattern takes linear time.
_PARAGRAPH: Final = re.compile(r"\n[ \t\r]*+\n")
_CLOSING: Final = r"""["')\]*_\u2019\u201d\u00bb\u300d\u300f\uff09]*+"""  # quotes and brackets after a full stop
_SENTENCE: Final = re.compile(
    rf"""[.!?\u2026\u061f\u06d4\u0964]{_CLOSING}(?=\s++(?![a-z]))  # the next word is not in lower case
      | [\u3002\uff01\uff1f\uff61]{_CLOSING}                        # CJK sentences end without a space
      | \n""",
    re.VERBOSE,
)
_SPACE: Final = re.compile(r"\s")
_WORD: Final = re.compile(r"\w")


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage: `text` is what people read of `content[start:end]`, in characters.

    `section` is the heading that governs its start, empty if there is none. `page` is the number of its page, if the
    document has pages. `headings` are the lines of `text` that are headings, `sections` the places in it where another
    section begins, with its heading.
    """

    start: int
    end: int
    text: str
    section: str = ""
    page: int | None = None
    headings: str = ""
    sections: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class _Section:
    start: int
    end: int
    heading: str


def chunk_text(content: str, media_type: str = "text/plain") -> list[Chunk]:
    """Splits a text of any language at headings, paragraphs and sentences.

    The chunks are in order and do not overlap. They omit only white space, machine-written parts and, depending on the
    media type, the marks of Markdown. Each has at most MAX_CHARACTERS; text without a boundary is cut at that length.
    Content without text gives one empty chunk, so that the document can be found by its title.
    """
    return chunks_under("", content, media_type)[0] or [Chunk(0, 0, "")]


def chunks_under(heading: str, content: str, media_type: str) -> tuple[list[Chunk], str]:
    """The chunks of a text that goes on under a heading, and the heading at its end."""
    found = readable_text(content, media_type)
    spans = readable(found.text)
    sections = list(_sections(found, heading))
    starts = [each.start for each in found.headings]
    chunks: list[Chunk] = []
    for section in _merged(sections):
        for part in _readable_parts(found.text, section, spans):
            start, end = _stripped(found.text, *part)
            if start < end:
                first, last = found.span(start, end)
                after = chunks[-1].end if chunks else 0
                inside = found.headings[bisect_left(starts, start) : bisect_left(starts, end)]
                headings = "\n".join(each.text for each in inside)
                below = tuple(
                    (each.start - start, each.text[:LONGEST_HEADING]) for each in inside if each.start > start
                )[:_MOST_SECTIONS]
                text = found.text[start:end]
                chunks.append(Chunk(max(first, after), last, text, section.heading, headings=headings, sections=below))
    return chunks, sections[-1].heading


def _readable_parts(content: str, section: _Section, spans: list[Span]) -> Iterator[tuple[int, int]]:
    """The section's parts without what is machine-written."""
    for start, end in spans[max(0, bisect_right(spans, (section.start, len(content))) - 1) :]:
        if start >= section.end:
            return
        first, last = max(start, section.start), min(end, section.end)
        if first < last and (len(spans) == 1 or _WORD.search(content, first, last)):
            yield from _parts(content, first, last)


def _sections(found: ReadableText, heading: str) -> Iterator[_Section]:
    """Spans that start at headings, the first one under `heading`; only blanks are left out."""
    start = 0
    for each in found.headings:
        if found.text[start : each.start].strip():
            yield _Section(start, each.start, heading)
        start, heading = each.start, each.text[:LONGEST_HEADING]
    yield _Section(start, len(found.text), heading)


def _merged(sections: Iterable[_Section]) -> Iterator[_Section]:
    """Joins short neighbours: a heading with one line below it is too little to match a query."""
    current, *others = sections
    for section in others:
        if section.end - current.start <= _MERGED:
            current = _Section(current.start, section.end, current.heading)
        else:
            yield current
            current = section
    yield current


def _parts(content: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Parts of about equal length, so that none at the end is tiny."""
    while end - start > MAX_CHARACTERS:
        share = (end - start) / math.ceil((end - start) / MAX_CHARACTERS)
        cut = start + _cut(content[start : start + MAX_CHARACTERS], share)
        yield start, cut
        start = cut
    yield start, end


def _cut(window: str, share: float) -> int:
    """The best place to end a part: nearest to `share`; paragraphs are preferred to sentences, and those to spaces."""
    earliest = int(share * _EARLIEST)
    for boundary in (_PARAGRAPH, _SENTENCE, _SPACE):
        places = [match.end() for match in boundary.finditer(window, earliest)]
        if places:
            return min(places, key=lambda place: abs(place - share))
    return len(window)


def _stripped(content: str, start: int, end: int) -> Span:
    text = content[start:end].lstrip()
    start = end - len(text)
    return start, start + len(text.rstrip())
