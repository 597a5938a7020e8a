"""Tables of reStructuredText, drawn with signs. Cells hold one line each; columns are known by the borders."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final
from unicodedata import east_asian_width

from partywall.features.documents.readers.rst_directives import Directive

SIMPLE_BORDER: Final = re.compile(r"=+(?: +=+)+ *$")
GRID_BORDER: Final = re.compile(r"\+[-=][-=+]*\+ *$")
_SPAN_RULE: Final = re.compile(r"[-=][-= ]*$")
_COLUMN: Final = re.compile(r"=+")
_PAD: Final = "\x00"
_CELL_ITEM: Final = re.compile(r" *[*-] ?(?P<cell>[*-](?: |$))?(?P<text>.*)$")
MOST_COLUMNS: Final = 200
_MOST_CSV: Final = 1_000_000

type Rows = list[list[str]]


def simple_rows(lines: Sequence[str]) -> Rows:
    """`lines` begin and end with a border of equals signs."""
    columns = [found.span() for found in _COLUMN.finditer(lines[0])][:MOST_COLUMNS]
    rows: Rows = []
    ended = True
    for line in map(_padded, lines):
        if not line.strip() or _SPAN_RULE.match(line):
            ended = True
            continue
        cells = list(_cells(line, columns))
        if ended or cells[0] or not rows:
            rows.append(cells)
        else:
            rows[-1] = [" ".join(filter(None, pair)) for pair in zip(rows[-1], cells, strict=True)]
        ended = False
    return rows


def _cells(line: str, columns: Sequence[tuple[int, int]]) -> Iterator[str]:
    """A text that goes over the edge of its column takes the next one too."""
    start = 0
    empty = 0
    for number, (_, end) in enumerate(columns):
        following = columns[number + 1][0] if number + 1 < len(columns) else len(line)
        if number + 1 < len(columns) and line[end:following].strip():
            empty += 1
            continue
        yield line[start:following].replace(_PAD, "").strip()
        yield from [""] * empty
        start, empty = following, 0


def grid_rows(lines: Sequence[str]) -> Rows:
    """`lines` begin with a border of hyphens and plus signs. A cell over several rows is in the first that it ends."""
    padded = [_padded(line) for line in lines]
    edges = sorted({at for line in padded if GRID_BORDER.match(line) for at, sign in enumerate(line) if sign == "+"})
    edges = edges[:MOST_COLUMNS]
    rows: Rows = []
    parts: list[list[str]] = [[] for _ in edges]
    for line in padded:
        is_rule = "+-" in line or "+=" in line
        for column, cell in _grid_cells(line, edges):
            if not is_rule or cell.strip("-=+ "):
                parts[column].append(cell)
        if is_rule:
            rows.append([" ".join(filter(None, each)) for each in parts])
            parts = [[] for _ in edges]
    return [*rows, [" ".join(filter(None, each)) for each in parts]]


def _grid_cells(line: str, edges: Sequence[int]) -> Iterator[tuple[int, str]]:
    """Only an edge with a bar or a plus sign ends a cell."""
    column, inside = 0, [edge for edge in edges[1:-1] if edge < len(line)]
    start = 0
    for number, edge in enumerate(inside, start=1):
        if line[edge] in "|+":
            yield column, line[start + 1 : edge].replace(_PAD, "").strip()
            column, start = number, edge
    last = line[start + 1 :].rstrip()
    yield column, last.removesuffix(last[-1:] if last[-1:] in "|+" else "").replace(_PAD, "").strip()


def csv_rows(text: str, delimiter: str = ",") -> Rows:
    if len(text) > _MOST_CSV:
        return [[line] for line in text.splitlines()]
    separator = {"tab": "\t", "space": " "}.get(delimiter, delimiter[:1] or ",")
    try:
        rows = list(csv.reader(text.splitlines(), delimiter=separator, skipinitialspace=True))
    except (csv.Error, ValueError, TypeError):  # a delimiter may be no sign at all
        return [[line] for line in text.splitlines()]
    return [[*row[: MOST_COLUMNS - 1], *filter(None, [" ".join(row[MOST_COLUMNS - 1 :])])] for row in rows]


def listed_rows(lines: Iterable[str]) -> Rows:
    """The rows of a list of lists."""
    rows: Rows = []
    for line in lines:
        found = _CELL_ITEM.match(line) if line.lstrip()[:1] in ("*", "-") else None
        if found is not None and not line.startswith(" "):
            rows.append([found["text"]])
        elif found is not None and rows and len(line) - len(line.lstrip()) <= 4 and len(rows[-1]) < MOST_COLUMNS:
            rows[-1].append(line.strip()[1:].strip())
        elif rows:
            rows[-1][-1] += f" {line.strip()}"
    return rows


def _padded(line: str) -> str:
    """Wide characters take two columns."""
    if line.isascii():
        return line
    return "".join(each + _PAD * (east_asian_width(each) in "WF") for each in line)


def directive_rows(found: Directive) -> Rows:
    """Of a `csv-table` or a `list-table`."""
    if found.name == "list-table":
        return listed_rows(found.body)
    lines = [found.options.get("header", ""), *found.body]
    return csv_rows("\n".join(lines), found.options.get("delim", ","))
