"""The lines of reStructuredText: which belong together, and how what is read of them is written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from partywall.features.documents.html.text import escaped, fenced
from partywall.features.documents.readers import rst_tables
from partywall.features.documents.readers.layout import Writer, clean, one_line, table
from partywall.features.documents.readers.rst_inline import Inline


@dataclass(slots=True)
class Document:
    """What all blocks share. `styles` are those of the section titles, in the order of their levels."""

    writer: Writer
    inline: Inline
    fields: dict[str, object] = field(default_factory=dict)
    styles: list[str] = field(default_factory=list)
    has_body: bool = False


@dataclass(slots=True)
class Lines:
    """Reads `lines`, which are at one indentation, from `at` on. `depth` counts what they are in, `lists` only lists.

    `marker` is that of an item whose text was not written yet.
    """

    document: Document
    lines: Sequence[str]
    depth: int = 0
    lists: int = 0
    at: int = 0
    marker: str = ""

    def _peek(self, number: int) -> str:
        at = self.at + number
        return self.lines[at] if at < len(self.lines) else ""

    def _while_text(self, start: int) -> Sequence[str]:
        """The lines up to an empty one, which are then read."""
        self.at = start
        while self.at < len(self.lines) and self.lines[self.at].strip():
            self.at += 1
        return self.lines[start : self.at]

    def _taken(self, least: int) -> list[str]:
        """The lines from here on that are empty or indented, without the indentation that all of them have."""
        start = self.at
        end = start
        while self.at < len(self.lines) and (not (line := self.lines[self.at]) or indent_of(line) >= least):
            self.at += 1
            end = self.at if line else end
        found = self.lines[start:end]
        shared = min((indent_of(line) for line in found if line), default=0)
        return [line[shared:] for line in found]

    def _body(self, first: str, width: int) -> list[str]:
        """What follows a marker: the rest of its line, and the lines below that are indented at least as far."""
        self.at += 1
        least = width if first else 1
        start, end = self.at, self.at
        while self.at < len(self.lines) and (not (line := self.lines[self.at]) or indent_of(line) >= least):
            self.at += 1
            end = self.at if line else end
        below = self.lines[start:end]
        self.at = max(end, start)
        shared = width if first else min((indent_of(line) for line in below if line), default=0)
        return [first, *(line[shared:] for line in below)]

    def _write(self, lines: Iterable[str]) -> None:
        """A paragraph whose marks are read, or the first of an item."""
        text = clean("\n".join(lines))
        if not text:
            return
        self.document.has_body = True
        marker, self.marker = self.marker, ""
        if marker:
            self.document.writer.item(max(0, self.lists - 1), text, marker)
        else:
            self.document.writer.block("\n".join(map(escaped, text.split("\n"))))

    def _text(self, lines: Iterable[str]) -> None:
        self._write([self.document.inline.read("\n".join(lines))])

    def _code(self, lines: Sequence[str], language: str = "") -> None:
        text = "\n".join(lines).strip("\n")
        self.marker = ""
        if text.strip():
            self.document.has_body = True
            self.document.writer.block(fenced(text, language))

    def _rows(self, rows: rst_tables.Rows) -> None:
        self.marker = ""
        self.document.has_body = True
        self.document.writer.block(table([[one_line(self.document.inline.read(cell)) for cell in row] for row in rows]))


def indent_of(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def without_colons(line: str) -> str:
    """Two colons at the end announce a literal block; the first is read if a word is before it."""
    if not line.endswith("::"):
        return line
    before = line[:-2]
    return before.rstrip() if not before or before.endswith(" ") else before + ":"


@dataclass(slots=True)
class Numbers:
    """Of the items `#.`: they go on with the numbers of a list; in a list of their own they get bullets."""

    _at: int = -1
    _following: int = 0

    def marker(self, mark: str, at: int) -> str:
        if mark != "#.":
            return f"{mark} "
        return f"{self._following}. " if at == self._at else "- "

    def end(self, marker: str, lines: Sequence[str], at: int) -> None:
        """The next line of text after an item may be the next item."""
        number = marker.removesuffix(". ")
        self._at, self._following = -1, 0
        if number.isdecimal():
            self._at = next((each for each in range(at, len(lines)) if lines[each].strip()), -1)
            self._following = int(number) + 1
