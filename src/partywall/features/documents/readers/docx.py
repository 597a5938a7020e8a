"""Word documents (DOCX): paragraphs, headings, lists, tables, notes, comments, headers and footers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from partywall.features.documents.readers.file_text import FileText, Reason, UnreadableFileError
from partywall.features.documents.readers.layout import Writer, best_title, clean
from partywall.features.documents.readers.package import Package, properties
from partywall.features.documents.readers.tables import Table, span
from partywall.features.documents.readers.xml_events import End, Event, Start

_HEADING: Final = re.compile(r"heading ([1-9])", re.IGNORECASE)
# The second form of what an older program cannot show, text that was moved away or deleted, and field instructions.
_SKIPPED: Final = frozenset({"Fallback", "moveFrom", "del", "instrText", "delText", "rPrChange", "pPrChange"})
_BREAKS: Final = {"br": "\n", "cr": "\n", "tab": "\t", "noBreakHyphen": "-", "ptab": "\t"}
_EXTRAS: Final = (("footnotes", "Notes"), ("endnotes", "Notes"), ("comments", "Comments"))
_TITLE: Final = 1


@dataclass(frozen=True, slots=True)
class Style:
    level: int = 0
    is_list: bool = False
    is_hidden: bool = False


@dataclass(slots=True)
class _Paragraph:
    text: list[str] = field(default_factory=list)
    style: Style = field(default_factory=Style)
    depth: int | None = None


class _Body:
    """Follows the events of a part, and writes its blocks."""

    def __init__(self, writer: Writer, styles: dict[str, Style]) -> None:
        self._writer, self._styles = writer, styles
        self._open = [_Paragraph()]
        self._tables: list[Table] = []
        self._cells: list[tuple[list[str], int]] = []

    def feed(self, event: Event) -> None:
        if isinstance(event, Start):
            self._start(event.name, event.attributes)
        elif isinstance(event, End):
            self._end(event.name)

    def text(self, text: str) -> None:
        self._open[-1].text.append(text)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        paragraph = self._open[-1]
        match name:
            case "p":
                self._open.append(_Paragraph())
            case "pStyle":
                paragraph.style = self._styles.get(attributes.get("val", ""), Style())
            case "outlineLvl" if attributes.get("val", "9") in "012345678":
                paragraph.style = Style(int(attributes["val"]) + 1)
            case "ilvl" if attributes.get("val", "").isdigit():
                paragraph.depth = int(attributes["val"])
            case "tbl":
                self._tables.append(Table())
            case "tr" if self._tables:
                self._tables[-1].begin_row()
            case "tc":
                self._cells.append(([], 1))
            case "gridSpan" if self._cells:
                self._cells[-1] = self._cells[-1][0], span(attributes.get("val"))
            case _ if name in _BREAKS and len(self._open) > 1:
                paragraph.text.append(_BREAKS[name])

    def _end(self, name: str) -> None:
        if name == "p" and len(self._open) > 1:
            self._end_paragraph(self._open.pop())
        elif name == "tc" and self._cells and self._tables:
            texts, width = self._cells.pop()
            self._tables[-1].add(" ".join(texts), width)
        elif name == "tbl" and self._tables:
            ended = self._tables.pop()
            if self._cells:
                self._cells[-1][0].append(ended.one_line())
            else:
                self._writer.block(ended.markdown())

    def _end_paragraph(self, paragraph: _Paragraph) -> None:
        text = clean("".join(paragraph.text))
        if not text:
            return
        if self._cells:
            self._cells[-1][0].append(text)
        elif paragraph.style.level:
            self._writer.title(paragraph.style.level, text)
        elif paragraph.depth is not None or paragraph.style.is_list:
            self._writer.item(paragraph.depth or 0, text)
        else:
            self._writer.block(text)


def read_docx(data: bytes) -> FileText:
    package = Package(data)
    main = _main_part(package)
    relations = package.relations(main)
    writer, styles = Writer(), _styles(package, _parts(relations, "styles"))
    body = _Body(writer, styles)
    for event, is_text in _visible(package.events(main), styles):
        if is_text:
            body.text(str(event))
        else:
            body.feed(event)
    for kind, heading in _EXTRAS:
        for part in _parts(relations, kind):
            writer.items(heading, _texts(package.extra_events(part), styles))
    edges = [part for kind in ("header", "footer") for part in _parts(relations, kind)]
    writer.items("Headers and footers", [text for part in edges for text in _texts(package.extra_events(part), styles)])
    said = properties(package.extra_events("docProps/core.xml"))
    title = best_title(said.get("title", ""), writer.heading)
    return FileText(writer.text(), title, said.get("language", ""), is_whole=package.is_whole)


def _main_part(package: Package) -> str:
    found = [part for kind, part in package.relations("").values() if kind == "officeDocument"]
    main = next((part for part in [*found, "word/document.xml"] if part in package), None)
    if main is None:
        raise UnreadableFileError(Reason.DAMAGED)
    return main


def _parts(relations: dict[str, tuple[str, str]], kind: str) -> list[str]:
    return sorted({part for found, part in relations.values() if found == kind})


def _styles(package: Package, parts: list[str]) -> dict[str, Style]:
    """Styles by id. Their names are English in documents of any language."""
    styles: dict[str, Style] = {}
    id_ = ""
    for part in parts:
        for event in package.extra_events(part):
            if not isinstance(event, Start):
                continue
            said = event.attributes.get("val", "")
            if event.name == "style":
                id_ = event.attributes.get("styleId", "")
                styles[id_] = Style()
            elif event.name == "name" and id_:
                heading = _HEADING.fullmatch(said)
                level = int(heading[1]) if heading else _TITLE if said.lower() == "title" else 0
                styles[id_] = Style(level, said.lower().startswith(("list bullet", "list number")))
            elif event.name == "basedOn" and not styles.get(id_, Style()).level:
                styles[id_] = styles.get(said, Style())
            elif event.name == "outlineLvl" and said in set("012345678"):
                styles[id_] = Style(int(said) + 1)
            elif event.name == "vanish" and id_:
                styles[id_] = replace(styles.get(id_, Style()), is_hidden=_is_on(event))
    return styles


def _is_on(event: Start) -> bool:
    return event.attributes.get("val", "1") not in ("0", "false", "off")


class _HiddenText:
    """Whether text is hidden: by its run, or the styles of run and paragraph. The innermost that says so counts."""

    def __init__(self, styles: dict[str, Style]) -> None:
        self._styles = styles
        self._said: list[bool | None] = []
        self._marks = 0  # what a paragraph's properties say of a run is about its end mark

    def __bool__(self) -> bool:
        return bool(next((said for said in reversed(self._said) if said is not None), False))

    def feed(self, event: Start | End) -> None:
        step = 1 if isinstance(event, Start) else -1
        if event.name == "pPr":
            self._marks += step
        elif event.name in ("p", "r"):
            if isinstance(event, Start):
                self._said.append(None)
            elif self._said:
                self._said.pop()
        elif isinstance(event, Start) and self._said:
            if event.name in ("pStyle", "rStyle") and (event.name == "pStyle") == (self._marks > 0):
                self._said[-1] = self._styles.get(event.attributes.get("val", ""), Style()).is_hidden or None
            elif event.name == "vanish" and not self._marks:
                self._said[-1] = _is_on(event)


def _visible(events: Iterator[Event], styles: dict[str, Style]) -> Iterator[tuple[Event, bool]]:
    """The events outside of what is skipped or hidden, and for each whether it is the text of a run."""
    skipped, texts, hidden = 0, 0, _HiddenText(styles)
    for event in events:
        if isinstance(event, Start):
            skipped += event.name in _SKIPPED
            texts += event.name == "t"
        if not (skipped or isinstance(event, str)):
            hidden.feed(event)
        is_hidden = skipped or (hidden and _is_text(event))
        if not is_hidden and (texts or not isinstance(event, str)):
            yield event, isinstance(event, str)
        if isinstance(event, End):
            skipped -= event.name in _SKIPPED
            texts -= event.name == "t"


def _is_text(event: Event) -> bool:
    return isinstance(event, str) or event.name in _BREAKS


def _texts(events: Iterator[Event], styles: dict[str, Style]) -> Iterator[str]:
    """The paragraphs of a part; in a part with notes or comments, the whole of each."""
    parts: list[str] = []
    for event, is_text in _visible(events, styles):
        if is_text:
            parts.append(str(event))
        elif (isinstance(event, Start) and event.name in _BREAKS) or (
            isinstance(event, End) and event.name in ("p", "tc")
        ):
            parts.append(" ")
        if isinstance(event, End) and event.name in ("footnote", "endnote", "comment", "hdr", "ftr"):
            yield "".join(parts)
            parts.clear()
