"""OpenDocument texts and slides (ODT, ODP)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from partywall.features.documents.readers.file_text import FileText, Reason, UnreadableFileError
from partywall.features.documents.readers.layout import Writer, best_title, clean
from partywall.features.documents.readers.package import Package, properties
from partywall.features.documents.readers.tables import Table, span
from partywall.features.documents.readers.xml_events import End, Event, Start

# What was deleted, and marks of notes; the numbers of pages are not text.
_SKIPPED: Final = frozenset(
    {"tracked-changes", "note-citation", "sequence-decls", "forms", "page-number", "page-count",
     "shapes", "binary-data", "table-of-content-source"}
)  # fmt: skip
# Who wrote a comment, and when.
_SIGNATURE: Final = frozenset({"creator", "date", "date-string"})
_FAMILIES: Final = {"p": "paragraph", "h": "paragraph", "span": "text"}
_PARAGRAPHS: Final = frozenset({"p", "h"})
_BLANKS: Final = {"s": " ", "tab": "\t", "line-break": "\n"}
_CELLS: Final = frozenset({"table-cell", "covered-table-cell"})
_MAX_REPEATED: Final = 100


@dataclass(slots=True)
class _Paragraph:
    text: list[str] = field(default_factory=list)
    level: int = 0


class _HiddenText:
    """Tells which elements are hidden, by themselves or by their style."""

    def __init__(self) -> None:
        self._styles: set[tuple[str, str]] = set()
        self._style = "", ""

    def feed(self, event: Event) -> bool:
        """Whether the text of the element that starts is hidden."""
        if not isinstance(event, Start):
            return False
        name, said = event.name, event.attributes
        if name == "style":
            self._style = said.get("family", ""), said.get("name", "")
            if (self._style[0], said.get("parent-style-name", "")) in self._styles:
                self._styles.add(self._style)
        elif name == "text-properties" and "display" in said:
            (self._styles.add if said["display"] == "none" else self._styles.discard)(self._style)
        elif name in _FAMILIES:
            return (_FAMILIES[name], said.get("style-name", "")) in self._styles
        return (name == "section" and said.get("display") == "none") or (
            name == "hidden-text" and said.get("is-hidden") == "true"
        )


class _Document:
    """Follows the events of the content."""

    def __init__(self, hidden: _HiddenText) -> None:
        self._hidden = hidden
        self.writer = Writer()
        self.notes: list[str] = []
        self.comments: list[str] = []
        self._pages = 0
        self._open: list[_Paragraph] = []
        self._tables: list[Table] = []
        self._cells: list[tuple[list[str], int]] = []
        # Texts that are collected instead of written: of notes, comments and speaker notes.
        self._aside: list[list[str]] = []
        self._speaker: list[str] = []
        self._lists = 0
        self._skipped: list[str] = []
        self._class = ""

    def read(self, events: Iterator[Event]) -> None:
        for event in events:
            if isinstance(event, str):
                if self._open and not self._skipped:
                    self._open[-1].text.append(event)
            elif isinstance(event, End):
                if self._skipped:
                    self._skipped.pop()
                else:
                    self._end(event.name)
            elif (
                self._skipped
                or event.name in _SKIPPED
                or (self._aside and event.name in _SIGNATURE)
                or self._hidden.feed(event)
            ):
                self._skipped.append(event.name)
            else:
                self._start(event.name, event.attributes)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if name in _BLANKS:
            if self._open:
                self._open[-1].text.append(_BLANKS[name])
        elif name in _CELLS:
            self._cells.append(([], min(span(attributes.get("number-columns-repeated")), _MAX_REPEATED)))
        else:
            self._start_block(name, attributes)

    def _start_block(self, name: str, attributes: dict[str, str]) -> None:
        match name:
            case "p":
                self._open.append(_Paragraph())
            case "h":
                self._open.append(_Paragraph(level=span(attributes.get("outline-level"))))
            case "list":
                self._lists += 1
            case "table":
                self._tables.append(Table())
            case "table-row" if self._tables:
                self._tables[-1].begin_row()
            case "note" | "annotation" | "notes":
                self._aside.append([])
            case "page":
                if self._pages:
                    self.writer.page()
                self._pages += 1
            case "frame":
                self._class = attributes.get("class", "")

    def _end(self, name: str) -> None:
        if name in _PARAGRAPHS and self._open:
            self._end_paragraph(self._open.pop())
        elif name == "list":
            self._lists -= 1
        elif name == "frame":
            self._class = ""
        elif name in _CELLS and self._cells and self._tables:
            texts, repeated = self._cells.pop()
            for _ in range(repeated):
                self._tables[-1].add(" ".join(texts))
        elif name == "table" and self._tables:
            ended = self._tables.pop()
            if self._cells:
                self._cells[-1][0].append(ended.one_line())
            else:
                self.writer.block(ended.markdown())
        elif name in ("note", "annotation", "notes") and self._aside:
            self._end_aside(name, self._aside.pop())

    def _end_aside(self, name: str, texts: list[str]) -> None:
        if name == "notes":
            self.writer.items("Notes", texts)
        else:
            (self.notes if name == "note" else self.comments).append(" ".join(texts))

    def _end_paragraph(self, paragraph: _Paragraph) -> None:
        text = clean("".join(paragraph.text))
        if not text:
            return
        if self._aside:
            self._aside[-1].append(text)
        elif self._cells:
            self._cells[-1][0].append(text)
        elif self._class == "title" and self._pages:
            self.writer.title(2, text)
        elif paragraph.level:
            self.writer.title(paragraph.level, text)
        elif self._lists:
            self.writer.item(self._lists - 1, text)
        else:
            self.writer.block(text)


def read_odf(data: bytes) -> FileText:
    package = Package(data)
    if "content.xml" not in package:
        raise UnreadableFileError(Reason.DAMAGED)
    require_no_password(package)
    hidden = _HiddenText()
    for event in package.extra_events("styles.xml"):
        hidden.feed(event)
    document = _Document(hidden)
    document.read(package.events("content.xml"))
    document.writer.items("Notes", document.notes)
    document.writer.items("Comments", document.comments)
    document.writer.items("Headers and footers", _edges(package.extra_events("styles.xml")))
    said = properties(package.extra_events("meta.xml"))
    title = best_title(said.get("title", ""), document.writer.heading)
    return FileText(document.writer.text(), title, said.get("language", ""), is_whole=package.is_whole)


def require_no_password(package: Package) -> None:
    """Raises UnreadableFileError if the parts of the file are encrypted."""
    for event in package.extra_events("META-INF/manifest.xml"):
        if isinstance(event, Start) and event.name == "encryption-data":
            raise UnreadableFileError(Reason.PASSWORD_PROTECTED)


def _edges(events: Iterator[Event]) -> Iterator[str]:
    """The headers and footers of the master pages."""
    inside, parts = 0, list[str]()
    for event in events:
        if isinstance(event, Start):
            inside += event.name in ("header", "footer", "header-left", "footer-left")
        elif isinstance(event, str):
            if inside:
                parts.append(event)
        elif event.name in ("header", "footer", "header-left", "footer-left"):
            inside -= 1
            yield "".join(parts)
            parts.clear()
        elif event.name in _PARAGRAPHS:
            parts.append(" ")
