"""Org files, line by line: what a person reads in their export, with its headings.

Trees with the tag `noexport` (or those of `#+EXCLUDE_TAGS:`) are not there, of archived trees only the headline. A
block or drawer without its end is text. Nothing is run: calls stay as they are written, code in a line shows its code.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from partywall.features.documents.html.text import escaped, fenced
from partywall.features.documents.readers.file_text import FileText
from partywall.features.documents.readers.layout import Writer, clean, one_line, table
from partywall.features.documents.readers.org_inline import read_inline
from partywall.features.documents.readers.org_macros import Macros, macros_of
from partywall.features.documents.readers.rst_tables import MOST_COLUMNS
from partywall.formats.front_matter import front_matter_of

_TAB: Final = 8
_DEEPEST: Final = 50
_MOST_TAGS: Final = 100
_HEADLINE: Final = re.compile(r"(?P<stars>\*+) +(?P<text>.*)$")
_TAGS: Final = re.compile(r"(?:^|\s)(?P<tags>:[\w@#%:]+:)$")
_PRIORITY: Final = re.compile(r"\[#\w{1,2}\] *")
_COOKIE: Final = re.compile(r"(?<! ) *\[(?:\d{0,9}/\d{0,9}|\d{0,3}%)\]")
_STATES: Final = frozenset({"TODO", "DONE"})
_OWN_STATES: Final = ("#+todo:", "#+seq_todo:", "#+typ_todo:")
_KEYWORD: Final = re.compile(r"\s*#\+(?P<name>[\w-]{1,60})(?:\[[^\]]{0,200}\])?:(?:\s+(?P<value>.*))?$")
_BEGIN: Final = re.compile(r"\s*#\+begin_(?P<kind>\w{1,60})(?:\s+(?P<rest>.*))?$", re.IGNORECASE)
_END: Final = re.compile(r"\s*#\+end(?:_(?P<kind>\w{1,60})|:)\s*$", re.IGNORECASE)
_CODE: Final = frozenset({"src", "example"})
_HIDDEN: Final = frozenset({"comment", "export"})
_COMMENT: Final = re.compile(r"\s*#(?:\s|$)|\s*#\+begin:|%%\(", re.IGNORECASE)
_DRAWER: Final = re.compile(r"\s*:(?P<name>[\w-]{1,60}):\s*$")
_HIDDEN_DRAWERS: Final = frozenset({"properties", "logbook", "clock"})
_PLANNING: Final = re.compile(r"\s*(?:SCHEDULED|DEADLINE|CLOSED|CLOCK):\s*(?:[<\[]|=>)")
_FIXED: Final = re.compile(r"\s*:(?: (?P<text>.*)|$)")
_TABLE_RULE: Final = re.compile(r"\s*\|-[-+|]*\s*$")
_ALIGNMENT: Final = re.compile(r"<[lrc]?\d{0,4}>$")
_ITEM: Final = re.compile(r"(?P<indent> *)(?P<marker>[-+]|(?<= )\*|(?:\d{1,9}|[A-Za-z])[.)])(?: +(?P<text>.*))?$")
_COUNTER: Final = re.compile(r"\[@\w{1,9}\] *")
_CHECKBOX: Final = re.compile(r"\[[ X-]\] +")
_DASHES: Final = re.compile(r"\s*-{5,}\s*$")
_FOOTNOTE: Final = re.compile(r"\[fn:[\w-]{1,60}\] *")
_TIMESTAMP: Final = re.compile(r"[<\[](\d{4}-\d\d-\d\d)[^<>\[\]]{0,60}[>\]]")
_TERM: Final = re.compile(r" ::\s+")
_SAID: Final = frozenset({"title", "author", "date", "language", "keywords", "filetags"})


def read_org(text: str) -> FileText:
    lines = [line.expandtabs(_TAB).rstrip() for line in text.removeprefix("\ufeff").replace("\f", "\n").splitlines()]
    reader = _Reader(lines)
    reader.read()
    said = front_matter_of(reader.said)
    return FileText(reader.writer.text(), said.title or reader.writer.heading, said.language, metadata=said.metadata)


@dataclass(slots=True)
class _Reader:
    """`indents` are those of the list items that are open; `waiting` are the lines of a paragraph or an item."""

    lines: Sequence[str]
    writer: Writer = field(default_factory=Writer)
    said: dict[str, object] = field(default_factory=dict)
    states: frozenset[str] = _STATES
    excluded: frozenset[str] = frozenset({"noexport"})
    at: int = 0
    indents: list[int] = field(default_factory=list)
    marker: str = ""
    waiting: list[str] = field(default_factory=list)
    macros: Macros = field(default_factory=Macros)
    _ends: dict[str, list[int]] = field(default_factory=dict)

    def read(self) -> None:
        self._ends = _ends(self.lines)
        self.macros = macros_of(self.lines)
        self.states = _states(self.lines) or _STATES
        while self.at < len(self.lines):
            line = self.lines[self.at]
            self.at += 1
            if not line:
                self._flush()
            elif not self._block(line):
                self._line(line)
        self._flush()

    def _block(self, line: str) -> bool:
        """Whether the line was some other than one of a paragraph."""
        return (
            self._headline(line)
            or self._keyword(line)
            or self._begin(line)
            or self._drawer(line)
            or self._unread(line)
            or self._fixed(line)
            or self._table(line)
            or self._item(line)
        )

    def _headline(self, line: str) -> bool:
        found = _HEADLINE.match(line)
        if found is None:
            return False
        self._flush()
        self.indents.clear()
        text, level = found["text"].strip(), len(found["stars"])
        state, _, rest = text.partition(" ")
        text = _PRIORITY.sub("", rest.strip() if state in self.states else text, count=1)
        if text.split(" ", 1)[0] == "COMMENT":
            self._skip_tree(level)
            return True
        labels: list[str] = []
        if tags := _TAGS.search(text[-1_000:]):
            text = text[: len(text) - len(tags[0])]
            labels = tags["tags"].split(":")
        if self.excluded.isdisjoint(labels):
            self.writer.title(level + ("title" in self.said), self._inline(_COOKIE.sub("", text)))
        if "ARCHIVE" in labels or not self.excluded.isdisjoint(labels):
            self._skip_tree(level)
        return True

    def _skip_tree(self, level: int) -> None:
        while self.at < len(self.lines):
            found = _HEADLINE.match(self.lines[self.at])
            if found and len(found["stars"]) <= level:
                return
            self.at += 1

    def _keyword(self, line: str) -> bool:
        found = _KEYWORD.match(line)
        if found is None:
            return False
        self._flush()
        name, value = found["name"].lower(), (found["value"] or "").strip()
        if name == "caption":
            self._text([value])
        elif name == "exclude_tags":
            self.excluded = frozenset(value.split()[:_MOST_TAGS])
        elif name in _SAID and value:
            self._note(name, value)
        return True

    def _note(self, name: str, value: str) -> None:
        if name == "filetags":
            name, value = "tags", ",".join(value.replace(":", " ").split()[:_MOST_TAGS])
        elif name == "date":
            value = _TIMESTAMP.sub(r"\1", value)
        elif name == "title":
            value = self._inline(value)
            if not self.writer.heading and "title" not in self.said:
                self.writer.title(1, value)
        before = str(self.said.get(name, ""))
        self.said[name] = f"{before} {value}".strip() if name in ("title", "author") and len(before) < 1_000 else value

    def _begin(self, line: str) -> bool:
        found = _BEGIN.match(line)
        if found is None:
            return _END.match(line) is not None
        self._flush()
        kind = found["kind"].lower()
        if kind in _CODE | _HIDDEN:
            end = self._end_of(kind)
            if end is not None:
                if kind in _CODE:
                    language = (found["rest"] or "").partition(" ")[0]
                    self._code(self.lines[self.at : end], language if kind == "src" and language.isalnum() else "")
                self.at = end + 1
        return True

    def _end_of(self, name: str) -> int | None:
        ends = self._ends.get(name, [])
        number = bisect_left(ends, self.at)
        return ends[number] if number < len(ends) else None

    def _code(self, lines: Sequence[str], language: str = "") -> None:
        shared = min((len(line) - len(line.lstrip()) for line in lines if line), default=0)
        text = "\n".join(_unquoted(line[shared:]) for line in lines).strip("\n")
        self.writer.block(fenced(text, language) if text.strip() else "")

    def _drawer(self, line: str) -> bool:
        found = _DRAWER.match(line)
        if found is None:
            return False
        self._flush()
        end = self._end_of(":end:") if found["name"].lower() in _HIDDEN_DRAWERS else None
        headline = self._end_of("*")
        if end is not None and (headline is None or end < headline):
            self.at = end + 1
        return True

    def _unread(self, line: str) -> bool:
        if _COMMENT.match(line) or _DASHES.match(line):
            self._flush()
            return True
        return _PLANNING.match(line) is not None

    def _fixed(self, line: str) -> bool:
        if not _FIXED.match(line):
            return False
        self._flush()
        found = [line]
        while self.at < len(self.lines) and _FIXED.match(self.lines[self.at]):
            found.append(self.lines[self.at])
            self.at += 1
        self._code([each.lstrip()[2:] for each in found])
        return True

    def _table(self, line: str) -> bool:
        if not line.lstrip().startswith("|"):
            return False
        self._flush()
        rows = [line]
        while self.at < len(self.lines) and self.lines[self.at].lstrip().startswith("|"):
            rows.append(self.lines[self.at])
            self.at += 1
        cells = [_cells(each) for each in rows if not _TABLE_RULE.match(each)]
        kept = [row for row in cells if not all(_ALIGNMENT.match(cell) for cell in row if cell)]
        self.writer.block(table([[one_line(self._inline(cell)) for cell in row] for row in kept]))
        return True

    def _item(self, line: str) -> bool:
        found = _ITEM.match(line)
        if found is None:
            return False
        self._flush()
        indent = len(found["indent"])
        while self.indents and self.indents[-1] >= indent:
            self.indents.pop()
        if len(self.indents) < _DEEPEST:
            self.indents.append(indent)
        self.marker = f"{found['marker']} " if found["marker"][0].isalnum() else "- "
        self.waiting = [_CHECKBOX.sub("", _COUNTER.sub("", found["text"] or "", count=1), count=1)]
        return True

    def _line(self, line: str) -> None:
        """A line of a paragraph, or of the item above if it is indented."""
        if not line.startswith(" "):
            if self.marker:
                self._flush()
            if not self.waiting:
                self.indents.clear()
        self.waiting.append(line.strip())

    def _flush(self) -> None:
        if self.waiting:
            self._text(self.waiting)
        self.waiting, self.marker = [], ""

    def _inline(self, text: str) -> str:
        return read_inline(text, self.macros)

    def _text(self, lines: Sequence[str]) -> None:
        text = "\n".join(lines)
        if label := _FOOTNOTE.match(text):
            text = text[label.end() :]
        text = clean(self._inline(text))
        if self.marker:
            self.writer.item(
                max(0, len(self.indents) - 1), _TERM.sub(": ", text.removesuffix(" ::"), count=1), self.marker
            )
        else:
            self.writer.block("\n".join(map(escaped, text.split("\n"))))


def _ends(lines: Sequence[str]) -> dict[str, list[int]]:
    """Where blocks of each kind, drawers and sections end."""
    found: defaultdict[str, list[int]] = defaultdict(list)
    for number, line in enumerate(lines):
        if line.startswith("*") and _HEADLINE.match(line):
            found["*"].append(number)
        elif ending := _END.match(line):
            found[(ending["kind"] or "").lower()].append(number)
        elif line.strip().lower() == ":end:":
            found[":end:"].append(number)
    return found


def _states(lines: Sequence[str]) -> frozenset[str]:
    """What the file itself defines as the states of tasks, instead of the usual ones."""
    own = [line.split()[1 : _MOST_TAGS + 1] for line in lines if line.lstrip().lower().startswith(_OWN_STATES)]
    return frozenset(state.partition("(")[0] for states in own[:_MOST_TAGS] for state in states if state != "|")


def _cells(line: str) -> list[str]:
    cells = [cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|", MOST_COLUMNS)]
    return cells or [""]


def _unquoted(line: str) -> str:
    """A comma before what would be a headline or keyword."""
    text = line.lstrip()
    return line.replace(",", "", 1) if text.startswith((",*", ",#+", ",,")) else line
