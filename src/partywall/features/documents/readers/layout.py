"""Writes what a reader found as Markdown: headings, lists, rows of tables, pages, notes."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Final

from partywall.features.documents.readers.file_text import MAX_TEXT, Reason, UnreadableFileError
from partywall.formats.pages import PAGE_BREAK

_BLANKS: Final = re.compile(r"[ \t\r\f\v\u00a0]+")
# Control characters, which the database refuses or which are invisible, and lone surrogates.
_UNWANTED: Final = re.compile("[\x00-\x08\x0e-\x1f\x7f\ufffe\uffff\ud800-\udfff]")
_BY_PROGRAM: Final = re.compile(
    r"microsoft (word|powerpoint|excel)\b|(power ?point )?presentation\d*$|(untitled|document|title|slide|book)\W*\d*$"
    r"|.*\.(docx?|pptx?|xlsx?|pdf|indd|tex|dvi|qxd|odt|rtf|html?|txt)$",
    re.IGNORECASE,
)
MAX_HEADING: Final = 200
_NEW_PAGE: Final = f"\n{PAGE_BREAK}\n"


def clean(text: str) -> str:
    """Lines without blanks around them, without empty lines and without control characters."""
    lines = (_BLANKS.sub(" ", line).strip() for line in _UNWANTED.sub("", text).splitlines())
    return "\n".join(line for line in lines if line)


def one_line(text: str) -> str:
    return " ".join(clean(text).split())


def best_title(own: str, heading: str) -> str:
    """The title in the file's properties, unless a program wrote it there without asking."""
    title = one_line(own)
    return heading if not title or _BY_PROGRAM.match(title) else title


def row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(one_line(cell).replace("|", "\\|") for cell in cells) + " |"


def table(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first row is its heading. Empty rows, columns and last cells are left out."""
    kept = [cells for cells in rows if any(cell.strip() for cell in cells)]
    columns = sorted({at for cells in kept for at, cell in enumerate(cells) if cell.strip()})
    if len(columns) < 2:
        return "\n".join(one_line(cells[columns[0]]) for cells in kept)
    first, *others = ([cells[at] for at in columns[: bisect_left(columns, len(cells))]] for cells in kept)
    heading = first + [""] * (len(columns) - len(first))  # a narrower one makes no table (GFM)
    lines = (row(heading), "|" + " --- |" * len(columns), *(row(_filled(cells)) for cells in others))
    return "\n".join(lines)


def _filled(cells: Sequence[str]) -> Sequence[str]:
    last = max((number for number, cell in enumerate(cells, start=1) if cell.strip()), default=0)
    return cells[:last]


class Writer:
    """Collects blocks in reading order. Raises UnreadableFileError when the text becomes too large."""

    def __init__(self) -> None:
        self.heading = ""
        self._parts: list[str] = []
        self._size = 0
        self._tight = False

    def block(self, text: str, *, tight: bool = False) -> None:
        """Adds a paragraph, after an empty line, or after none between two blocks that are `tight`."""
        if not text:
            return
        if self._parts and self._parts[-1] != _NEW_PAGE:
            self._parts.append("\n" if tight and self._tight else "\n\n")
        self._tight = tight
        self._parts.append(text)
        self._size += len(text) + 2
        if self._size > MAX_TEXT:
            raise UnreadableFileError(Reason.TOO_LARGE)

    def paragraph(self, text: str) -> None:
        self.block(clean(text))

    def title(self, level: int, text: str) -> None:
        line = one_line(text)
        if len(line) > MAX_HEADING:
            self.block(line)
        elif line:
            self.heading = self.heading or line
            self.block(f"{'#' * min(max(level, 1), 6)} {line}")

    def item(self, depth: int, text: str, marker: str = "- ") -> None:
        if line := one_line(text):
            self.block(f"{'  ' * min(depth, 8)}{marker}{line}", tight=True)

    def items(self, heading: str, texts: Iterable[str]) -> None:
        """A list under a heading, if there are any. Each text appears once."""
        found = dict.fromkeys(filter(None, map(one_line, texts)))
        if found:
            self.block(f"**{heading}**")
            for text in found:
                self.item(0, text)

    def page(self) -> None:
        """Ends a page."""
        self._parts.append(_NEW_PAGE)
        self._tight = False

    def text(self) -> str:
        return "".join(self._parts).strip(" \n")
