"""Collects the text of a page as blocks of Markdown: headings, paragraphs, items of lists, tables, code."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from partywall.features.documents.html.elements import SERVICE
from partywall.features.documents.html.regions import Block, Part, Region
from partywall.features.documents.html.tables import Table
from partywall.features.documents.html.text import clean, escaped, fenced, is_mark, squeezed

_DEEPEST: Final = 8  # lists within lists are indented up to this depth
_LONGEST_HEADING: Final = 200  # characters; a longer one is a paragraph
_RULE: Final = re.compile(r"[\s=_*~|\u00b7\u2022\u2010-\u2015-]++")
_LARGEST_NUMBER: Final = 999_999_999  # of an item, in Markdown


@dataclass(slots=True)
class _List:
    """`number` is the next item's; the item begins at `outer`, and its text at `indent`."""

    number: int | None
    outer: str
    indent: str


class Writer:
    """`links`, `level` and `pre`: the links, heading and preformatted text that are open."""

    def __init__(self) -> None:
        self.regions = [Region(Part.PAGE)]
        self.links = 0
        self.level = 0
        self.pre = False
        self._region = self.regions[0]
        self._language = ""
        self._blocks: list[Block] = []
        self._tables: list[Table] = []
        self._lists: list[_List] = []
        self._flat = 0  # so many of the open lists contain a heading or table, and are not indented any more
        self._marker = ""
        self._line: list[str] = []
        self._linked = 0
        self._image = ""

    def blocks(self) -> list[Block]:
        self.end()
        return self._blocks

    def add(self, text: str) -> None:
        seen = clean(text)
        self._line.append(seen if self.pre else squeezed(seen))
        if self.links:
            self._linked += len(seen)

    def note_image(self, alt: str) -> None:
        """The text for an image; it is read if a heading has no other."""
        if self.level:
            self._image = self._image or squeezed(clean(alt))

    def break_line(self) -> None:
        """The second of two ends the paragraph."""
        before = next((each for each in reversed(self._line[-2:]) if each != " "), "")
        if before == "\n" and not (self.pre or self.level):
            self.end()
        else:
            self._line.append("\n")

    def begin_line(self) -> None:
        if self._line and not self._line[-1].endswith("\n"):
            self._line.append("\n")

    def begin_code(self, language: str) -> None:
        self.pre, self._language = True, language

    def begin_region(self, part: Part) -> None:
        self._region = Region(part, self._region)
        self.regions.append(self._region)
        self._spread()

    def end_region(self) -> None:
        assert self._region.parent is not None
        self._region = self._region.parent

    def begin_list(self, number: int | None) -> None:
        is_deep = len(self._lists) - self._flat >= _DEEPEST
        # An item that begins with a list has no line of its own.
        outer = self._lists[-1].outer if self._lists and (is_deep or self._marker) else self._indent()
        self._lists.append(_List(number, outer, outer))

    def end_list(self) -> None:
        self._marker = ""
        self._lists.pop()
        self._flat = min(self._flat, len(self._lists))

    def begin_item(self, number: int) -> None:
        """`number` is negative if the item does not say it."""
        self._marker = "- "
        if not self._lists:
            return
        here = self._lists[-1]
        if here.number is not None:
            at = here.number if number < 0 else number
            self._marker = f"{min(at, _LARGEST_NUMBER)}. "
            here.number = at + 1
        here.indent = here.outer + " " * len(self._marker)

    def begin_table(self, *, is_layout: bool) -> None:
        self._spread()
        self._leave_lists()
        self._tables.append(Table(is_layout=is_layout))

    def end_table(self) -> None:
        table = self._tables.pop()
        self._blocks += table.blocks if table.is_spread else table.written(self._region)

    def row(self) -> None:
        if self._tables:
            self._tables[-1].begin_row()

    def cell(self, columns: int, rows: int, *, is_head: bool) -> None:
        if self._tables:
            self._tables[-1].begin_cell(columns, rows, is_head=is_head)

    def end(self) -> None:
        """Ends the block. An empty one passes its marker to the next: `<li><p>` is one item."""
        if not self._line and not self._image:
            return
        joined, linked = "".join(self._line), self._linked
        self._line, self._linked = [], 0
        block = self._code(joined) if self.pre else self._text(joined)
        if block is None:
            return
        block.links = min(linked, block.size)
        if self._tables and not self._tables[-1].is_spread:
            self._tables[-1].add(block)
        elif not _is_unread(block):
            self._blocks.append(block)

    def _spread(self) -> None:
        """The table that is open holds more than cells of text, so it only places them."""
        if self._tables:
            self._blocks += self._tables[-1].spread()

    def _leave_lists(self) -> None:
        self._flat, self._marker = len(self._lists), ""

    def _indent(self) -> str:
        return self._lists[-1].indent if len(self._lists) > self._flat else ""

    def _text(self, joined: str) -> Block | None:
        lines = [line for each in joined.split("\n") if (line := squeezed(each).strip())]
        image, self._image = self._image, ""
        if self.level:
            return self._heading(" ".join(lines) or image)
        return self._placed(map(escaped, lines), "\n".join(lines)) if lines else None

    def _heading(self, line: str) -> Block | None:
        """What follows within the same element is no heading, as after one that is never closed."""
        if not line:
            return None
        level, self.level = self.level, 0
        self._leave_lists()
        if len(line) > _LONGEST_HEADING:
            return self._placed([escaped(line)], line)
        return Block(self._region, f"{'#' * level} {line}", line, level=level)

    def _code(self, joined: str) -> Block | None:
        text = "\n".join(line.rstrip() for line in joined.split("\n")).strip("\n")
        if not text:
            return None
        if "\n" not in text and not is_mark(text.strip()):
            return self._placed([text.strip()], text.strip())
        if self._marker:  # a fence begins a line
            self._leave_lists()
        return self._placed(fenced(text, self._language).split("\n"), text, is_code="\n" in text)

    def _placed(self, written: Iterable[str], plain: str, *, is_code: bool = False) -> Block:
        """A block at its place in the lists."""
        marker, self._marker = self._marker, ""
        indent = self._indent()
        first, *others = written
        lines = [
            indent[: len(indent) - len(marker)] + marker + first,
            *(indent + each if each else "" for each in others),
        ]
        return Block(self._region, "\n".join(lines), plain, is_item=bool(marker), is_code=is_code)


def _is_unread(block: Block) -> bool:
    """Whether it is a line drawn with signs, or a link that serves the page."""
    if block.level:
        return False
    return (block.is_of_links and block.plain.lower() in SERVICE) or _RULE.fullmatch(block.plain) is not None


def joined(blocks: Sequence[Block]) -> str:
    """With an empty line between blocks, except between items of lists."""
    parts: list[str] = []
    was_item = False
    for block in blocks:
        parts += ("\n" if was_item and block.is_item else "\n\n", block.markdown)
        was_item = block.is_item
    return "".join(parts[1:])
