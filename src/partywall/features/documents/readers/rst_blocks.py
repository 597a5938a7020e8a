"""The blocks of reStructuredText: sections, paragraphs, lists, literal blocks, tables, directives."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from partywall.features.documents.readers import rst_tables
from partywall.features.documents.readers.rst_directives import (
    CODE,
    DIRECTIVE,
    HIDDEN,
    SIGNATURES,
    TEXT,
    UNSEEN_ARGUMENT,
    VERSIONS,
    Directive,
    directive,
)
from partywall.features.documents.readers.rst_lines import Lines, Numbers, indent_of, without_colons

_DEEPEST: Final = 16
"""What is nested deeper is read as paragraphs. Each level copies its lines."""

_RULE: Final = re.compile(r"([!-/:-@[-`{-~])\1*$")
_BULLET: Final = re.compile(r"[-*+\u2022\u2023\u2043](?: +|$)")
_NUMBER: Final = re.compile(r"(?P<mark>\(?(?:\d{1,9}|[A-Za-z]|[ivxlcdmIVXLCDM]{1,9}|#)[.)])(?: +|$)")
_FIELD: Final = re.compile(r":(?![: ])(?P<name>(?:[^:\\\n]|\\.|:(?![ `]|$)){1,200})(?<! ):(?: +|$)")
_LINE_BLOCK: Final = re.compile(r"\|(?: +|$)")
_FOOTNOTE: Final = re.compile(r"\.\. +\[(?P<label>[#*]?[\w.-]{0,100})\](?: +|$)")
_EXPLICIT: Final = re.compile(r"\.\.(?: +|$)|__(?: +|$)")
_KEYWORD: Final = re.compile(r"\$[A-Za-z]+: (.*?) ?\$$")
# Fields before the text that are metadata, or for Sphinx.
_SAID: Final = frozenset(
    {"title", "author", "authors", "date", "tags", "keywords", "language", "lang", "orphan", "tocdepth", "nocomments",
     "nosearch", "no-search"}
)  # fmt: skip


@dataclass(slots=True)
class Blocks(Lines):
    """`tables_end`: a simple table that begins here may have an end."""

    tables_end: bool = True
    numbers: Numbers = field(default_factory=Numbers)

    def read(self) -> None:
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if not line.strip():
                self.at += 1
            elif self.depth >= _DEEPEST:
                self._text([each.strip() for each in self._while_text(self.at)])
            elif line.startswith(" "):
                self._nested(self._taken(1))
            elif not self._block(line):
                self._paragraph()

    def _block(self, line: str) -> bool:
        """Whether it was some other block than a paragraph."""
        return (
            (not self.depth and (self._overlined(line) or self._info(line)))
            or self._rule(line)
            or self._item(line)
            or self._explicit(line)
            or self._table(line)
            or self._field(line)
            or self._verses(line)
            or self._doctest(line)
        )

    def _nested(self, lines: Sequence[str], *, lists: int = 0, marker: str = "") -> None:
        Blocks(self.document, lines, self.depth + 1, self.lists + lists, marker=marker).read()

    def _overlined(self, line: str) -> bool:
        title = self._peek(1).strip()
        if not _RULE.match(line) or not title or self._peek(2) != line or len(line) < min(4, len(title)):
            return False
        self.at += 1
        self._heading(title, "over " + line[0])
        return True

    def _underlined(self, line: str) -> bool:
        under = self._peek(1)
        if self.depth or not _RULE.match(under) or len(under) < min(4, len(line)):
            return False
        self._heading(line, under[0])
        return True

    def _heading(self, title: str, style: str) -> None:
        styles = self.document.styles
        self.document.has_body = self.document.writer.heading != "" and not self._is_subtitle(style)
        if style not in styles:
            styles.append(style)
        self.document.writer.title(styles.index(style) + 1, self.document.inline.read(title))
        self.at += 2

    def _is_subtitle(self, style: str) -> bool:
        """Right below the title, and no section has its style."""
        styles = self.document.styles
        if self.document.has_body or len(styles) != 1 or style in styles:
            return False
        below = self.lines[self.at + 2 :]
        return not any(line.startswith(style[-1]) and _RULE.match(line) for line in below)

    def _rule(self, line: str) -> bool:
        """A line between two paragraphs."""
        if len(line) < 4 or not _RULE.match(line) or self._peek(1).strip():
            return False
        self.at += 1
        return True

    def _info(self, line: str) -> bool:
        """Fields before the text say what the file is."""
        found = None if self.document.has_body else _FIELD.match(line)
        if found is None:
            return False
        if found["name"].lower() in _SAID:
            value = " ".join(self._field_body(found)).strip()
            keyword = _KEYWORD.match(value)
            self.document.fields[found["name"].lower()] = self.document.inline.read(keyword[1] if keyword else value)
        else:
            self._field(line)
            self.document.has_body = False
        return True

    def _paragraph(self) -> None:
        start = self.at
        if self._underlined(self.lines[start]):
            return
        self.at += 1
        if self._peek(0).startswith(" "):
            self._definition(start)
            return
        while (line := self._peek(0)) and not line.startswith(" "):
            self.at += 1
        lines = [*self.lines[start : self.at]]
        if lines[-1].endswith("::"):
            self._text([*lines[:-1], without_colons(lines[-1])])
            self._literal()
        else:
            self._text(lines)

    def _definition(self, start: int) -> None:
        term = self.lines[start]
        self._text([without_colons(term)])
        if term.endswith("::"):
            self._literal()
        else:
            self._nested(self._taken(1))

    def _literal(self) -> None:
        """What is indented, or quoted by the same sign on each line."""
        while self.at < len(self.lines) and not self.lines[self.at]:
            self.at += 1
        line = self._peek(0)
        if line.startswith(" "):
            self._code(self._taken(1))
        elif _RULE.match(line[:1]):
            start = self.at
            while self._peek(0).startswith(line[0]):
                self.at += 1
            self._code(self.lines[start : self.at])

    def _verses(self, line: str) -> bool:
        if not _LINE_BLOCK.match(line):
            return False
        start = self.at
        while (line := self._peek(0)) and (line.startswith(" ") or _LINE_BLOCK.match(line)):
            self.at += 1
        self._text(_LINE_BLOCK.sub("", each) for each in self.lines[start : self.at])
        return True

    def _doctest(self, line: str) -> bool:
        if not line.startswith(">>> "):
            return False
        self._code(self._while_text(self.at))
        return True

    def _item(self, line: str) -> bool:
        if bullet := _BULLET.match(line):
            marker = "- "
        elif (bullet := _NUMBER.match(line)) and self._is_number(bullet.end()):
            marker = self.numbers.marker(bullet["mark"], self.at)
        else:
            return False
        body = self._body(line[bullet.end() :], bullet.end())
        self._nested(body, lists=1, marker=marker)
        self.numbers.end(marker, self.lines, self.at)
        return True

    def _is_number(self, width: int) -> bool:
        """A line that begins with an initial is none: what follows is not indented."""
        following = self._peek(1)
        return not following or indent_of(following) >= width or _NUMBER.match(following) is not None

    def _field(self, line: str) -> bool:
        found = _FIELD.match(line)
        if found is None:
            return False
        name = self.document.inline.read(found["name"])
        body = self._field_body(found)
        if body[0] and not _BULLET.match(body[0]):
            end = next((at for at, each in enumerate(body) if not each), len(body))
            self._text([f"{name}: {body[0]}", *body[1:end]])
            body = body[end:]
        else:
            self._write([f"{name}:"])
        self._nested(body)
        return True

    def _field_body(self, found: re.Match[str]) -> list[str]:
        first = found.string[found.end() :]
        self.at += 1
        return [first, *self._taken(1)]

    def _explicit(self, line: str) -> bool:
        found = _EXPLICIT.match(line)
        if found is None:
            return False
        if note := _FOOTNOTE.match(line):
            self._note(note)
        elif named := DIRECTIVE.match(line):
            self.at += 1
            self._directive(directive(named["name"], named["argument"] or "", self._taken(1)))
        else:  # a comment, the target of a link, or the definition of a substitution
            self.at += 1
            if line.strip() != ".." or self._peek(0):
                self._taken(1)
        return True

    def _note(self, note: re.Match[str]) -> None:
        label = note["label"]
        first = note.string[note.end() :]
        self.at += 1
        body = self._taken(1)
        mark = f"[{label.lstrip('#*')}] " if label.strip("#*") else ""
        self._nested([mark + first, *body])

    def _directive(self, found: Directive) -> None:
        name = found.name
        if name == "title" and not found.domain:
            self.document.fields.setdefault("title", " ".join(found.argument))
        if name in HIDDEN and not found.domain:
            return
        if name in CODE:
            self._code_block(found)
        elif name in ("image", "figure"):
            self._text([found.options.get("alt", "")])
            self._nested(found.body)
        elif name in ("csv-table", "list-table"):
            self._text(found.argument)
            self._rows(rst_tables.directive_rows(found))
        elif name in VERSIONS:
            said = found.argument or [""]
            self._nested([f"{VERSIONS[name]} {said[0]}", *said[1:], *found.body])
        elif name in TEXT:
            self._nested(found.text)
        else:
            if name in SIGNATURES or (found.domain and name != "module"):
                self._write(found.argument)
            elif name not in UNSEEN_ARGUMENT:
                self._text(found.argument)
            self._nested(found.body)

    def _code_block(self, found: Directive) -> None:
        self._text([found.options.get("caption", "")])
        is_code = found.name != "math" and len(found.argument) == 1
        language = found.argument[0] if is_code and found.argument[0].isalnum() else ""
        lines = [*([] if is_code else found.argument), *found.body]
        has_marks = found.name == "parsed-literal"
        self._code(self.document.inline.read("\n".join(lines)).split("\n") if has_marks else lines, language)

    def _table(self, line: str) -> bool:
        if rst_tables.GRID_BORDER.match(line):
            start = self.at
            while self._peek(0).startswith(("+", "|")):
                self.at += 1
            self._rows(rst_tables.grid_rows(self.lines[start : self.at]))
            return True
        return bool(self.tables_end and rst_tables.SIMPLE_BORDER.match(line) and self._simple_table())

    def _simple_table(self) -> bool:
        """Up to a border with an empty line below, after the one under the heading of the columns."""
        end = self.at + 1
        while end < len(self.lines):
            is_border = rst_tables.SIMPLE_BORDER.match(self.lines[end])
            if is_border and (end + 1 == len(self.lines) or not self.lines[end + 1]):
                break
            end += 1
        else:
            self.tables_end = False
            return False
        self._rows(rst_tables.simple_rows(self.lines[self.at : end + 1]))
        self.at = end + 1
        return True
