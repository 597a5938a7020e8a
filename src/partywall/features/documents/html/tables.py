"""Tables of a page. One that only places things side by side is written as its cells, one after another."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from partywall.features.documents.html.regions import Block, Region

_LONGEST_CELL: Final = 500  # characters; of a table without head cells
_MOST_BLOCKS: Final = 4  # paragraphs in a cell of such a table
_ALIGNED: Final = 64  # columns up to which cells keep their place beside those that span several


@dataclass(slots=True)
class _Cell:
    column: int
    blocks: list[Block] = field(default_factory=list)

    @property
    def is_short(self) -> bool:
        size = sum(block.size for block in self.blocks)
        return size <= _LONGEST_CELL and len(self.blocks) <= _MOST_BLOCKS and not any(b.is_code for b in self.blocks)

    @property
    def text(self) -> str:
        return " ".join(" ".join(block.plain.split()) for block in self.blocks).replace("|", "\\|")


class Table:
    """`is_spread`: what it holds is not written as a table. `blocks` are then written in their order."""

    def __init__(self, *, is_layout: bool) -> None:
        self.is_spread = is_layout
        self.blocks: list[Block] = []
        self._captions: list[Block] = []
        self._rows: list[list[_Cell]] = []
        self._taken: dict[int, int] = {}  # columns that a cell from above takes, up to this row
        self._column = 0
        self._cell: _Cell | None = None
        self._has_head = False

    def begin_row(self) -> None:
        self._rows.append([])
        self._column, self._cell = 0, None

    def begin_cell(self, columns: int, rows: int, *, is_head: bool) -> None:
        if not self._rows:
            self.begin_row()
        while self._taken.get(self._column, 0) >= len(self._rows):
            self._column += 1
        self._has_head |= is_head
        self._cell = _Cell(self._column)
        self._rows[-1].append(self._cell)
        after = self._column + (columns if self._column + columns <= _ALIGNED else 1)
        if rows > 1 and after <= _ALIGNED:
            self._taken.update(dict.fromkeys(range(self._column, after), len(self._rows) + rows - 1))
        self._column = after

    def add(self, block: Block) -> None:
        self.blocks.append(block)
        (self._captions if self._cell is None else self._cell.blocks).append(block)

    def spread(self) -> list[Block]:
        """What it holds up to here."""
        self.is_spread = True
        blocks, self.blocks = self.blocks, []
        return blocks

    def written(self, region: Region) -> list[Block]:
        rows = [filled for row in self._rows if (filled := [cell for cell in row if cell.blocks])]
        columns = sorted({cell.column for row in rows for cell in row})
        if len(columns) < 2 or not self._is_table(rows):
            return self.blocks
        place = {column: at for at, column in enumerate(columns)}
        texts = [_with_empty(row, place) for row in rows]
        if len(rows) > 1:  # the head of a table in Markdown has all columns
            texts[0] += [""] * (len(columns) - len(texts[0]))
        lines = [f"| {' | '.join(row)} |" for row in texts] if len(rows) > 1 else [" | ".join(texts[0])]
        if len(rows) > 1:
            lines.insert(1, "|" + " --- |" * len(columns))
        plain = "\n".join(block.plain for row in rows for cell in row for block in cell.blocks)
        links = sum(block.links for row in rows for cell in row for block in cell.blocks)
        return [*self._captions, Block(region, "\n".join(lines), plain, links=links)]

    def _is_table(self, rows: list[list[_Cell]]) -> bool:
        if any(block.level for row in rows for cell in row for block in cell.blocks):
            return False
        return self._has_head or all(cell.is_short for row in rows for cell in row)


def _with_empty(row: list[_Cell], place: dict[int, int]) -> list[str]:
    """The texts of a row, and empty ones before them where it has no cell."""
    texts: list[str] = []
    for cell in row:
        texts += [""] * (place[cell.column] - len(texts))
        texts.append(cell.text)
    return texts
