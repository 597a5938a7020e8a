"""Splits a document into the passages that are indexed and returned."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from partywall.features.search.machine_text import Span, readable

MAX_CHARACTERS: Final = 2400
"""The longest chunk; about 400 English words."""

_MERGED: Final = 800  # neighbouring sections are merged up to this length
_EARLIEST: Final = 0.6  # a cut is at least this fraction of the even share

# The quantifiers are possessive (`++`, `*+`): without backtracking, every pattern takes linear time.
_LINE: Final = re.compile(r"[^\n\r\v\f\x1c-\x1e\x85\u2028\u2029]*+(?:\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029])?")
_HEADING: Final = re.compile(r"[ ]{0,3}+#{1,6}+[ \t]++(?P<text>\S.*)")
_UNDERLINE: Final = re.compile(r"[ ]{0,3}+(?:=++|-{3,}+)[ \t]*+$")
_FENCE: Final = re.compile(r"[ ]{0,3}+(?P<mark>`{3,}+|~{3,}+)")
LONGEST_HEADING: Final = 200

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
    """`content[start:end]`, in characters; `heading` is the section's, empty if the chunk starts with it.

    `section` is the heading that the chunk starts under or with, and `page` the number of its page, if there are pages.
    """

    start: int
    end: int
    heading: str = ""
    section: str = ""
    page: int | None = None


@dataclass(frozen=True, slots=True)
class _Section:
    start: int
    end: int
    heading: str
    continues: bool = False


def chunk_text(content: str) -> list[Chunk]:
    """Splits plain text or Markdown of any language at headings, paragraphs and sentences.

    The chunks are in order and do not overlap. They omit only white space and machine-written parts. Each has at most
    MAX_CHARACTERS; text without a boundary is cut at that length. Content without text gives one empty chunk, so that
    the document can be found by its title.
    """
    return chunks_under("", content)[0] or [Chunk(0, 0)]


def chunks_under(heading: str, content: str) -> tuple[list[Chunk], str]:
    """The chunks of a text that goes on under a heading, and the heading at its end."""
    spans = readable(content)
    sections = list(_sections(content, heading))
    chunks = [
        chunk
        for section in _merged(sections)
        for index, (start, end) in enumerate(_readable_parts(content, section, spans), start=section.continues)
        if (chunk := _stripped(content, start, end, section.heading, is_first=not index)) is not None
    ]
    return chunks, sections[-1].heading


def _readable_parts(content: str, section: _Section, spans: list[Span]) -> Iterator[tuple[int, int]]:
    """The section's parts without what is machine-written."""
    for start, end in spans[max(0, bisect_right(spans, (section.start, len(content))) - 1) :]:
        if start >= section.end:
            return
        first, last = max(start, section.start), min(end, section.end)
        if first < last and (len(spans) == 1 or _WORD.search(content, first, last)):
            yield from _parts(content, first, last)


def _sections(content: str, heading: str) -> Iterator[_Section]:
    """Spans that start at headings outside fenced code, or go on under `heading`; only blanks are left out."""
    start, continues = 0, True
    for position, text in headings(content):
        if content[start:position].strip():
            yield _Section(start, position, heading, continues)
        start, heading, continues = position, text[:LONGEST_HEADING], False
    yield _Section(start, len(content), heading, continues)


def headings(content: str) -> Iterator[tuple[int, str]]:
    """Where each heading starts, and its text."""
    fence, above, above_at = "", "", 0
    for found in _LINE.finditer(content):
        text = found.group().rstrip()
        if not text:
            above = ""
            continue
        if mark := _FENCE.match(text):
            fence, text = _fence_after(fence, mark["mark"]), ""
        elif fence:
            text = ""
        elif heading := _HEADING.match(text):
            yield found.start(), _without_closing(heading["text"])
            text = ""
        elif above and _UNDERLINE.match(text):
            yield above_at, above.strip()
        above, above_at = text if len(text) <= LONGEST_HEADING else "", found.start()


def _without_closing(text: str) -> str:
    """Removes a closing `##`; a heading of nothing but `#` keeps the first."""
    return text[0] + text[1:].rstrip(" \t#")


def _fence_after(open_fence: str, mark: str) -> str:
    """The fence that is open after this line; the same character, at least as often, closes it."""
    if not open_fence:
        return mark
    closes = mark[0] == open_fence[0] and len(mark) >= len(open_fence)
    return "" if closes else open_fence


def _merged(sections: Iterable[_Section]) -> Iterator[_Section]:
    """Joins short neighbours: a heading with one line below it is too little to match a query."""
    current, *others = sections
    for section in others:
        if section.end - current.start <= _MERGED:
            current = replace(current, end=section.end)
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


def _stripped(content: str, start: int, end: int, heading: str, *, is_first: bool) -> Chunk | None:
    text = content[start:end].lstrip()
    start = end - len(text)
    end = start + len(text.rstrip())
    return Chunk(start, end, "" if is_first else heading, heading) if start < end else None
