"""Slides (PPTX): titles, texts, tables, charts, diagrams and notes, slide by slide."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from partywall.features.documents.readers.file_text import FileText, Reason, UnreadableFileError
from partywall.features.documents.readers.layout import Writer, best_title, clean, one_line
from partywall.features.documents.readers.package import Package, properties
from partywall.features.documents.readers.tables import Table, span
from partywall.features.documents.readers.xml_events import End, Event, Start

_TITLES: Final = frozenset({"title", "ctrTitle"})
# Parts of a layout that are repeated on every slide.
_REPEATED: Final = frozenset({"sldNum", "dt", "ftr", "hdr", "sldImg"})
_MAX_SLIDES: Final = 10_000


class _Slide:
    """Follows the events of one slide. The title comes first, wherever it stands."""

    def __init__(self) -> None:
        self.title = ""
        self.blocks: list[str] = []
        self._placeholder = ""
        self._lines: list[str] = []
        self._line: list[str] = []
        self._is_text = False
        self._table: Table | None = None
        self._width = 1

    def read(self, events: Iterator[Event]) -> None:
        for event in events:
            if isinstance(event, Start):
                self._start(event.name, event.attributes)
            elif isinstance(event, End):
                self._end(event.name)
            elif self._is_text:
                self._line.append(event)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        match name:
            case "sp":
                self._placeholder = ""
            case "ph":
                self._placeholder = attributes.get("type", "body")
            case "t":
                self._is_text = True
            case "br":
                self._line.append("\n")
            case "tbl":
                self._table = Table()
            case "tr" if self._table is not None:
                self._table.begin_row()
            case "tc":
                self._width = span(attributes.get("gridSpan"))
            case "cNvPr" if attributes.get("descr"):
                self.blocks.append(f"({one_line(attributes['descr'])})")

    def _end(self, name: str) -> None:
        match name:
            case "t":
                self._is_text = False
            case "p":
                self._lines.append(clean("".join(self._line)))
                self._line.clear()
            case "txBody":
                self._end_text("\n".join(filter(None, self._lines)))
                self._lines.clear()
            case "tbl" if self._table is not None:
                self.blocks.append(self._table.markdown())
                self._table = None

    def _end_text(self, text: str) -> None:
        if self._table is not None:
            self._table.add(text, self._width)
        elif self._placeholder in _REPEATED:
            return
        elif self._placeholder in _TITLES and not self.title:
            self.title = text
        else:
            self.blocks.append(text)


def read_pptx(data: bytes) -> FileText:
    package = Package(data)
    writer = Writer()
    for number, part in enumerate(_slides(package)):
        if number:
            writer.page()
        _write_slide(package, part, writer)
    said = properties(package.extra_events("docProps/core.xml"))
    title = best_title(said.get("title", ""), writer.heading)
    return FileText(writer.text(), title, said.get("language", ""), is_whole=package.is_whole)


def _slides(package: Package) -> list[str]:
    """The parts of the slides in the order of the presentation."""
    main = next((part for kind, part in package.relations("").values() if kind == "officeDocument"), "")
    main = main if main in package else "ppt/presentation.xml"
    relations = package.relations(main)
    listed = [
        relations.get(event.attributes.get("id", ""), ("", ""))[1]
        for event in package.extra_events(main)
        if isinstance(event, Start) and event.name == "sldId"
    ]
    # An attribute `id` stands twice, with and without a prefix: the relation's id may be the one that was lost.
    found = [part for part in listed if part in package]
    if len(found) < len(listed) or not found:
        found = sorted((part for kind, part in relations.values() if kind == "slide" and part in package), key=_number)
    if not found and main not in package:
        raise UnreadableFileError(Reason.DAMAGED)
    return found[:_MAX_SLIDES]


def _number(part: str) -> tuple[int, str]:
    digits = "".join(filter(str.isdigit, part.rpartition("/")[2]))
    return int(digits or 0), part


def _write_slide(package: Package, part: str, writer: Writer) -> None:
    slide = _Slide()
    slide.read(package.extra_events(part))
    writer.title(2, slide.title)
    for block in slide.blocks:
        writer.block(block)
    for kind, related in package.relations(part).values():
        if kind in ("chart", "chartEx"):
            writer.block(_chart(package.extra_events(related)))
        elif kind == "diagramData":
            writer.block("\n".join(_diagram(package.extra_events(related))))
        elif kind == "notesSlide":
            notes = _Slide()
            notes.read(package.extra_events(related))
            writer.items("Notes", [block for each in notes.blocks for block in each.split("\n")])


def _diagram(events: Iterator[Event]) -> list[str]:
    slide = _Slide()
    slide.read(events)
    return [*slide.blocks, *filter(None, slide._lines)]


def _chart(events: Iterator[Event]) -> str:
    """Title, names of series and categories, and the values, as one line each."""
    lines: list[str] = []
    values: list[str] = []
    wanted = ""
    for event in events:
        if isinstance(event, Start):
            wanted = event.name if event.name in ("v", "t") else ""
        elif isinstance(event, str):
            if wanted:
                values.append(event)
        else:
            wanted = ""
            if event.name in ("title", "tx", "cat", "val", "xVal", "yVal"):
                lines.append(", ".join(map(one_line, values)))
                values.clear()
    return "\n".join(dict.fromkeys(filter(None, lines)))
