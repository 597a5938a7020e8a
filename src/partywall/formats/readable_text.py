"""What a person reads of a document's content, and which part of the content it stands for."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

from partywall.formats.front_matter import front_matter_end
from partywall.formats.markdown_inline import Edit
from partywall.formats.markdown_marks import Heading, Marks, layout_marks, markdown_marks, plain_headings

_MARKDOWN: Final = frozenset({"text/markdown", "application/x-ipynb+json"})
_PLAIN: Final = "text/plain"
_DATA: Final = frozenset(
    {"text/csv", "text/tab-separated-values", "application/yaml", "application/toml", "application/x-tex"}
)
# Saves the parser where no line is a heading.
_MAYBE_HEADING: Final = re.compile(r"(?:^|(?<=[\r\n\f]))[ ]{0,3}(?:#{1,6}+[ \t]|[=-]++[ \t]*+(?:[\r\n\f]|\Z))")
_LINE_END: Final = re.compile(r"\r?\n")


@dataclass(slots=True)
class _Pieces:
    """Piece `n` is `text[begins[n]:begins[n + 1]]`, and stands for `content[starts[n]:ends[n]]`.

    These are the same characters, unless it is `changed`.
    """

    begins: array[int] = field(default_factory=lambda: array("q"))
    starts: array[int] = field(default_factory=lambda: array("q"))
    ends: array[int] = field(default_factory=lambda: array("q"))
    changed: bytearray = field(default_factory=bytearray)

    def add(self, begin: int, start: int, end: int, *, changed: bool = False) -> None:
        self.begins.append(begin)
        self.starts.append(start)
        self.ends.append(end)
        self.changed.append(changed)

    def source_start(self, number: int, position: int, content: str) -> int:
        inside, start = position - self.begins[number], self.starts[number]
        if inside:
            return start if self.changed[number] else start + inside
        before = self.ends[number - 1] if number else 0
        return max(before, content.rfind("\n", before, start) + 1)

    def source_end(self, number: int, position: int, content: str) -> int:
        end = self.ends[number]
        if not self.changed[number] and (inside := self.starts[number] + position - self.begins[number]) < end:
            return inside
        following = self.starts[number + 1] if number + 1 < len(self.starts) else len(content)
        line_end = content.find("\n", end, following)
        return following if line_end < 0 else line_end

    def moved(self, headings: Iterable[Heading]) -> Iterator[Heading]:
        """The headings at their places in the text."""
        for heading in headings:
            number = bisect_right(self.ends, heading.start)
            if number < len(self.ends):
                inside = 0 if self.changed[number] else max(0, heading.start - self.starts[number])
                yield Heading(self.begins[number] + inside, heading.text)


@dataclass(frozen=True, slots=True)
class ReadableText:
    """`headings` are at their places in `text`. Without `pieces`, the text is the content itself."""

    content: str
    text: str
    headings: Sequence[Heading] = ()
    pieces: _Pieces | None = None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The part of the content that `text[start:end]` stands for, with the marks beside it on its lines."""
        pieces = self.pieces
        if pieces is None or not pieces.begins:
            return start, end
        first = max(0, bisect_right(pieces.begins, start) - 1)
        last = max(first, bisect_left(pieces.begins, end) - 1)
        return pieces.source_start(first, start, self.content), pieces.source_end(last, end, self.content)


def readable_text(content: str, media_type: str) -> ReadableText:
    """Markdown without its marks; text of other files without the marks that readers add; plain text as it is."""
    if media_type in _MARKDOWN:
        start = front_matter_end(content)
        return _assembled(content, chain([Marks([Edit(0, start)])], markdown_marks(content, start)))
    if media_type in _DATA or (media_type == _PLAIN and not _MAYBE_HEADING.search(content)):
        return ReadableText(content, content)
    if media_type == _PLAIN:
        return ReadableText(content, content, plain_headings(content))
    return _assembled(content, layout_marks(content))


def _assembled(content: str, marked: Iterable[Marks]) -> ReadableText:
    headings: list[Heading] = []
    writer = _Writer(content)
    for marks in marked:
        writer.apply(marks.edits)
        headings += marks.headings
    writer.apply([Edit(len(content), len(content))])
    return ReadableText(content, "".join(writer.parts), list(writer.pieces.moved(headings)), writer.pieces)


@dataclass(slots=True)
class _Writer:
    content: str
    parts: list[str] = field(default_factory=list)
    pieces: _Pieces = field(default_factory=_Pieces)
    at: int = 0
    _length: int = 0
    _line_is_empty: bool = True

    def apply(self, edits: Iterable[Edit]) -> None:
        """In order. What begins within an earlier edit is left out, and so is a line of which nothing is left."""
        for start, end, text in edits:
            if start < self.at:
                continue
            if start > self.at:
                self._add(self.content[self.at : start], self.at, start)
                self._line_is_empty = self.content[start - 1] == "\n"
            if text:
                self._add(text, start, end, changed=True)
                self._line_is_empty = False
            elif start < end and self._line_is_empty and self.content[end - 1] != "\n":
                rest = _LINE_END.match(self.content, end)
                end = end if rest is None else rest.end()
            self.at = end

    def _add(self, part: str, start: int, end: int, *, changed: bool = False) -> None:
        self.parts.append(part)
        self.pieces.add(self._length, start, end, changed=changed)
        self._length += len(part)
