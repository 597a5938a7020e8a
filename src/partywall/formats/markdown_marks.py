"""The parts of a Markdown text that are not read, and its headings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

from partywall.formats.markdown_blocks import Block, Dialect, Kind, blocks_in, labels_in
from partywall.formats.markdown_inline import Edit, InlineReader
from partywall.formats.one_line import one_line

LONGEST_HEADING: Final = 1000
# In characters; what follows in a longer one, such as a line of data, has no marks.
_LONGEST_PARAGRAPH: Final = 256 * 1024

type Labels = AbstractSet[str]

_HTML_HEADING: Final = re.compile(r"<(?P<name>h[1-6])(?=[\s>])", re.IGNORECASE)
_TABLE_RULE: Final = re.compile(r"[ \t]*+\|?+[ \t]*+:?+-++:?+[ \t]*+(?:\|[ \t]*+(?::?+-++:?+[ \t]*+)?+)*+")
_CELL_EDGE: Final = re.compile(r"(?:(?<![\\ \t])[ \t]*+|(?<=[ \t]))\|[ \t]*+")
_ESCAPE: Final = re.compile(r"\\(?=\|)")
# `:::note Title`, `:::{note} Title`, `:::note[Title]`, `!!! note "Title"`, `=== "Tab"`.
_DIRECTIVE: Final = re.compile(
    r"""[ \t>]*+(?::{3,}+[ \t]*+(?:\{[^{}\n]*+\}|[\w.:-]*+)|(?:!!!|\?\?\?\+?|===[!+]?)[^"'\r\n]*+)
        [ \t]*+["'\[]?(?P<title>[^\r\n{}"\]]*+)""",
    re.VERBOSE,
)
# Statements of MDX, included files, and the label before a heading of MyST.
_STATEMENT: Final = re.compile(
    r"""import\s++(?:[\w*{},\s$]{1,500}\sfrom\s*+)?["'][^"'\n]{1,300}+["'];?+[ \t]*+(?:\r?\n|\Z)
      | export\s++(?:const|let|var|default|function|async|\*|\{) | --8<--\s | \([\w.:-]{1,100}+\)=\s*+\Z""",
    re.VERBOSE,
)
# A line of text that would be a mark.
_ESCAPED_LINE: Final = re.compile(r"\\[#`~|=:-]")
_BOLD_LINE: Final = re.compile(r"\*\*([^*\n]{1,300}+)\*\*")
# In MyST a fence with a name in braces holds text, except these.
_TEXT_DIRECTIVE: Final = re.compile(r"\{(?!code|eval|literal|math|mermaid|raw|toctree|doctest|image|figure)[\w:-]++\}")


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading outside of lists and quotes, at `start` in the text. Its text is in one line, and not empty."""

    start: int
    text: str


@dataclass(slots=True)
class Marks:
    """Of a part of the text; `edits` in order."""

    edits: list[Edit] = field(default_factory=list)
    headings: list[Heading] = field(default_factory=list)


def headings_of(content: str, start: int) -> Iterator[Heading]:
    """The headings of a Markdown text from `start` on."""
    labels = labels_in(content)
    for block in chain.from_iterable(blocks_in(content, Dialect.MARKDOWN, start)):
        if block.kind is Kind.HEADING:
            yield from _heading(content, block, _heading_edits(content, block, labels))
        elif block.kind is Kind.HTML:
            yield from _html_headings(content, block)


def plain_headings(content: str) -> list[Heading]:
    """The headings of a text that has no other marks."""
    blocks = chain.from_iterable(blocks_in(content, Dialect.PLAIN))
    return [heading for block in blocks if block.kind is Kind.HEADING for heading in _heading(content, block, ())]


def layout_marks(content: str) -> Iterator[Marks]:
    """The marks that our readers add: of headings, tables, fences, lines in bold, and lines that would be marks."""
    rows = _Rows(content)
    for blocks in blocks_in(content, Dialect.EXTRACTED):
        marks = Marks()
        for block in blocks:
            if block.kind is Kind.MARK:
                marks.edits.append(Edit(block.start, block.end))
            elif block.kind is Kind.HEADING:
                marks.headings += _heading(content, block, ())
                marks.edits.append(Edit(block.start, block.lines[0][0]))
            elif block.kind is Kind.TEXT:
                start, end = block.lines[0][0], block.lines[-1][1]
                marks.edits += (Edit(at, at + 1) for at, _ in block.lines if _ESCAPED_LINE.match(content, at))
                marks.edits += rows.edits(block)
                if bold := _BOLD_LINE.fullmatch(content, start, end):
                    marks.edits += (Edit(start, bold.start(1)), Edit(bold.end(1), end))
        marks.edits.sort()
        yield marks


def markdown_marks(content: str, start: int) -> Iterator[Marks]:
    labels, rows = labels_in(content), _Rows(content)
    for blocks in blocks_in(content, Dialect.MARKDOWN, start):
        marks = Marks()
        for block in blocks:
            if block.kind is Kind.HEADING:
                edits = _heading_edits(content, block, labels)
                marks.headings += _heading(content, block, edits)
                marks.edits += edits
            else:
                if block.kind is Kind.HTML:
                    marks.headings += _html_headings(content, block)
                marks.edits += _block_edits(content, block, labels, rows)
        marks.edits.sort()
        yield marks


def _block_edits(content: str, block: Block, labels: Labels, rows: _Rows) -> Iterable[Edit]:
    match block.kind:
        case Kind.MARK:
            return [Edit(block.start, block.end)]
        case Kind.DIRECTIVE:
            return _directive(content, block, labels)
        case Kind.FOOTNOTE:
            return _inline(content, content.find("[", block.start, block.end), block.end, labels)
        case Kind.CODE if not _TEXT_DIRECTIVE.fullmatch(block.info.partition(" ")[0]):
            return []
        case Kind.TEXT:
            start, end = block.lines[0][0], block.lines[-1][1]
            if not block.depth and _STATEMENT.match(content, start, end):
                return [Edit(block.start, block.end)]
            return [*rows.edits(block), *_inline(content, start, end, labels)]
        case _:
            return _inline(content, block.start, block.end, labels)


def _inline(content: str, start: int, end: int, labels: Labels = frozenset(), *, pictures: bool = True) -> list[Edit]:
    return InlineReader(content, start, min(end, start + _LONGEST_PARAGRAPH), labels, pictures).read()


def _heading_edits(content: str, block: Block, labels: Labels) -> list[Edit]:
    """Besides the marks in its text, the hashes on both sides."""
    start, end = block.lines[0][0], block.lines[-1][1]
    hashes = content.find("#", block.start, start)
    before = [Edit(hashes, start)] if hashes >= 0 else []
    after = [Edit(end, end + len(content[end : block.end].rstrip()))]
    return [*before, *_inline(content, start, end, labels, pictures=False), *after]


def _heading(content: str, block: Block, edits: Iterable[Edit]) -> Iterator[Heading]:
    start, end = block.lines[0][0], block.lines[-1][1]
    if not block.depth and (text := edited(content, start, end, edits)):
        yield Heading(block.start, text)


def _html_headings(content: str, block: Block) -> Iterator[Heading]:
    """Up to the end of the element, or else of the block. Comments may hold some too, which are none."""
    if block.depth or content.startswith("<!--", block.start):
        return
    at = block.start
    while found := _HTML_HEADING.search(content, at, block.end):
        ending = content.find(f"</{found['name']}", found.end(), block.end)
        at = block.end if ending < 0 else ending
        edits = _inline(content, found.start(), at, pictures=False)
        if text := edited(content, found.start(), at, edits):
            yield Heading(found.start(), text)


def edited(content: str, start: int, end: int, edits: Iterable[Edit]) -> str:
    """A part of the content in one line, with its edits, as far as a heading may be long."""
    parts: list[str] = []
    length = 0
    for edit in (*sorted(edits), Edit(end, end)):
        if start <= edit.start <= end and length < LONGEST_HEADING:
            parts += (content[start : edit.start][:LONGEST_HEADING], edit.text)
            length += len(parts[-2]) + len(parts[-1])
            start = edit.end
    return one_line("".join(parts))[:LONGEST_HEADING]


def _directive(content: str, block: Block, labels: Labels) -> list[Edit]:
    """Only its title stays."""
    found = _DIRECTIVE.match(content, block.start, block.end)
    if found is None or not found["title"].strip():
        return [Edit(block.start, block.end)]
    start, end = found.span("title")
    after = Edit(end, end + len(content[end : block.end].rstrip()))
    return [Edit(block.start, start), *_inline(content, start, end, labels, pictures=False), after]


@dataclass(slots=True)
class _Rows:
    """Finds the rows of tables: lines of a paragraph, with bars between the cells.

    The library's tokens for tables take ten times as long. `end` is where the last table ends, which may go on there.
    """

    content: str
    end: int = -1

    def edits(self, block: Block) -> Iterator[Edit]:
        lines = block.lines
        if self.content.find("|", block.start, block.end) < 0:
            return
        first = 0
        if block.start != self.end:
            rule = next((at for at in range(1, len(lines)) if self._is_rule(*lines[at])), None)
            if rule is None:
                return
            yield Edit(lines[rule - 1][1], lines[rule][1])
            yield from self._row(*lines[rule - 1])
            first = rule + 1
        self.end = block.end
        for line in lines[first:]:
            yield from self._row(*line)

    def _is_rule(self, start: int, end: int) -> bool:
        return self.content.find("|", start, end) >= 0 and _TABLE_RULE.fullmatch(self.content, start, end) is not None

    def _row(self, start: int, end: int) -> Iterator[Edit]:
        for edge in _CELL_EDGE.finditer(self.content, start, end):
            yield Edit(*edge.span(), "" if edge.start() == start or edge.end() == end else " | ")
        yield from (Edit(*bar.span()) for bar in _ESCAPE.finditer(self.content, start, end))
