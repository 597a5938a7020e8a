"""What a person reads of a document's content, and which part of the content it stands for."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from partywall.formats.front_matter import front_matter_end
from partywall.formats.markdown_blocks import Dialect, blocks_of
from partywall.formats.markdown_inline import Edit
from partywall.formats.markdown_marks import Heading, layout_marks, markdown_marks, plain_headings

_MARKDOWN: Final = frozenset({"text/markdown", "application/x-ipynb+json"})
_PLAIN: Final = frozenset({"text/plain", "text/x-rst", "text/x-org"})
_DATA: Final = frozenset(
    {"text/csv", "text/tab-separated-values", "application/yaml", "application/toml", "application/x-tex"}
)
# Saves the parser where no line is a heading.
_MAYBE_HEADING: Final = re.compile(r"(?:^|(?<=[\r\n\f]))[ ]{0,3}(?:#{1,6}+[ \t]|[=-]++[ \t]*+(?:[\r\n\f]|\Z))")
_LINE_END: Final = re.compile(r"\r?\n")


@dataclass(frozen=True, slots=True)
class _Piece:
    """`text[begin:]` stands for `content[start:end]`: the same characters, unless it is `changed`."""

    begin: int
    start: int
    end: int
    changed: bool = False


@dataclass(frozen=True, slots=True)
class ReadableText:
    """`headings` are at their places in `text`. Without `pieces`, the text is the content itself."""

    content: str
    text: str
    headings: Sequence[Heading] = ()
    pieces: Sequence[_Piece] = ()

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The part of the content that `text[start:end]` stands for, with the marks beside it on its lines."""
        if not self.pieces:
            return start, end
        first = self._number(start)
        last = max(first, bisect_left(self.pieces, end, key=_begin) - 1)
        return self._start(first, start), self._end(last, end)

    def _number(self, position: int) -> int:
        return max(0, bisect_right(self.pieces, position, key=_begin) - 1)

    def _start(self, number: int, position: int) -> int:
        piece = self.pieces[number]
        if position > piece.begin:
            return piece.start if piece.changed else piece.start + position - piece.begin
        before = self.pieces[number - 1].end if number else 0
        return max(before, self.content.rfind("\n", before, piece.start) + 1)

    def _end(self, number: int, position: int) -> int:
        piece = self.pieces[number]
        end = piece.end if piece.changed else piece.start + position - piece.begin
        if end < piece.end:
            return end
        following = self.pieces[number + 1].start if number + 1 < len(self.pieces) else len(self.content)
        line_end = self.content.find("\n", end, following)
        return following if line_end < 0 else line_end


def _begin(piece: _Piece) -> int:
    return piece.begin


def readable_text(content: str, media_type: str) -> ReadableText:
    """Markdown without its marks; text of other files without the marks that readers add; plain text as it is."""
    if media_type in _MARKDOWN:
        start = front_matter_end(content)
        marks = markdown_marks(content, blocks_of(content, Dialect.MARKDOWN, start))
        return _assembled(content, [Edit(0, start), *marks.edits], marks.headings)
    if media_type in _DATA or (media_type in _PLAIN and not _MAYBE_HEADING.search(content)):
        return ReadableText(content, content)
    if media_type in _PLAIN:
        return ReadableText(content, content, plain_headings(content, blocks_of(content, Dialect.PLAIN)))
    marks = layout_marks(content, blocks_of(content, Dialect.EXTRACTED))
    return _assembled(content, marks.edits, marks.headings)


def _assembled(content: str, edits: Iterable[Edit], headings: Iterable[Heading]) -> ReadableText:
    parts: list[str] = []
    pieces: list[_Piece] = []
    length = 0
    for start, end, changed in _kept(content, sorted(edits)):
        part = content[start:end] if changed is None else changed
        if part:
            parts.append(part)
            pieces.append(_Piece(length, start, end, changed is not None))
            length += len(part)
    read = ReadableText(content, "".join(parts), (), pieces)
    return ReadableText(content, read.text, list(_moved(headings, pieces)), pieces)


def _kept(content: str, edits: Sequence[Edit]) -> Iterator[tuple[int, int, str | None]]:
    """The parts that stay, with None, and those that are replaced, with the new text."""
    at, line_is_empty = 0, True
    for start, end, text in (*edits, Edit(len(content), len(content))):
        if start < at:
            continue  # within a longer one
        if start > at:
            yield at, start, None
            line_is_empty = content[start - 1] == "\n"
        if text:
            yield start, end, text
            line_is_empty = False
        elif start < end and line_is_empty and content[end - 1] != "\n" and (rest := _LINE_END.match(content, end)):
            end = rest.end()  # nothing else was in this line
        at = end


def _moved(headings: Iterable[Heading], pieces: Sequence[_Piece]) -> Iterator[Heading]:
    """The headings at their places in the readable text."""
    for heading in headings:
        number = bisect_right(pieces, heading.start, key=lambda piece: piece.end)
        if number < len(pieces):
            piece = pieces[number]
            yield Heading(piece.begin + (0 if piece.changed else max(0, heading.start - piece.start)), heading.text)
