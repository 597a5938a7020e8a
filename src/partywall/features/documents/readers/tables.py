"""Collects the rows of a table, in which other tables may be nested."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from partywall.features.documents.readers.layout import table

MAX_COLUMNS: Final = 1_000


@dataclass(slots=True)
class Table:
    rows: list[list[str]] = field(default_factory=list)

    def begin_row(self) -> None:
        self.rows.append([])

    def add(self, cell: str, width: int = 1) -> None:
        """A cell, and empty ones for the other columns that it spans."""
        if not self.rows:
            self.rows.append([])
        row = self.rows[-1]
        row += [cell, *[""] * (width - 1)][: max(0, MAX_COLUMNS - len(row))]

    def markdown(self) -> str:
        return table(self.rows)

    def one_line(self) -> str:
        """The text of a table inside a cell."""
        return " ".join(cell for cells in self.rows for cell in cells if cell)


def span(written: str | None) -> int:
    """A number of columns or repetitions; a wrong one counts as one."""
    return min(int(written), MAX_COLUMNS) if written and written.isascii() and written.isdigit() and int(written) else 1
