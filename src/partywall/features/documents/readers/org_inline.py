"""The marks inside a paragraph of Org: emphasis, links, code, footnotes, targets, macros. One pass in linear time."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.entities import html5
from typing import Final

from partywall.features.documents.readers.org_macros import Macros

_SCHEMES: Final = "mailto|file|doi|news|info|irc|id"
_BEGIN: Final = re.compile(
    rf"(?P<link><?(?<![A-Za-z0-9])(?:[A-Za-z][A-Za-z0-9+.-]{{0,20}}://|(?:{_SCHEMES}):(?=\S)))|"
    r"\[\[|\[fn:|\[cite(?=[/:])|(?<!\w)src_(?=\w)|<<|\{\{\{|@@|\\|[_^]\{|(?<![^\s({'\"\-\u2013\u2014*/_+])[*/_=~+](?=\S)"
)
_ADDRESS: Final = re.compile(r"<([^<>\n]{1,2000})>|[^\s<>\[\]]+")
_LINK: Final = re.compile(
    r"\[\[(?P<target>[^\[\]]{1,2000})\](?:\[(?P<text>(?:[^\[\]]|\[(?!\[)|\](?!\])){1,2000})\])?\]"
)
_NOTE: Final = re.compile(r"\[fn:[\w-]{0,60}(?::(?P<text>[^\[\]]{0,2000}))?\]")
_CITATION: Final = re.compile(r"\[cite(?:/[\w/-]{1,40})?:(?P<keys>[^\[\]]{1,2000})\]")
_SOURCE: Final = re.compile(r"src_[\w-]{1,40}(?:\[[^\[\]]{0,200}\])?\{([^{}\n]{0,500})\}")
_TARGET: Final = re.compile(r"<<<([^<>\n]{1,200})>>>|<<[^<>\n]{1,200}>>")
_MACRO: Final = re.compile(r"\{\{\{(?P<name>[A-Za-z][\w-]{0,60})(?:\((?P<arguments>[^{}]{0,500})\))?\}\}\}")
_SNIPPET: Final = re.compile(r"@@[\w-]{1,20}:[^@]{0,500}@@")
_ENTITY: Final = re.compile(r"\\(?P<name>[A-Za-z]{2,20})(?:\{\}|(?![A-Za-z]))|\\\\(?=\s*(?:\n|\Z))")
_SCRIPT: Final = re.compile(r"[_^]\{([^{}\s]{1,100})\}")
_CLOSINGS: Final = {
    mark: re.compile(rf"(?<=\S)\{mark}(?![^\s\-.,;:!?'\")}}\[\]*/_+|\u2013\u2014\u2019\u201d\\])") for mark in "*/_=~+"
}
_LONGEST: Final = 2_000  # between two marks of emphasis
_PICTURE: Final = re.compile(r"(?:file:|\.{0,2}/)?\S+\.(?:png|jpe?g|gif|svg|webp)$", re.IGNORECASE)


def read_inline(text: str, macros: Macros | None = None) -> str:
    return _Reader(text, macros or Macros()).read()


@dataclass(slots=True)
class _Reader:
    """`closing` is the next place where each mark can end emphasis; -1 if there is none."""

    text: str
    macros: Macros
    edits: list[tuple[int, int, str]] = field(default_factory=list)
    closing: dict[str, int] = field(default_factory=dict)
    ends: set[int] = field(default_factory=set)

    def read(self) -> str:
        at = 0
        while begin := _BEGIN.search(self.text, at):
            at = self._mark(begin)
        parts: list[str] = []
        at = 0
        for start, end, said in sorted(self.edits):
            if start >= at:
                parts += (self.text[at:start], said)
                at = end
        return "".join((*parts, self.text[at:]))

    def _mark(self, begin: re.Match[str]) -> int:
        at, mark = begin.start(), begin[0]
        if begin["link"]:
            return self._address(at)
        if mark == "[[":
            return self._link(at)
        if mark == "{{{":
            return self._macro(at)
        if mark in _CLOSINGS:
            return self._emphasis(at, mark)
        for pattern in _OTHERS.get(mark, ()):
            if found := pattern.match(self.text, at):
                return self._drop(at, found.end(), _said(found))
        return begin.end()

    def _drop(self, start: int, end: int, said: str = "") -> int:
        self.edits.append((start, end, said))
        return end

    def _link(self, at: int) -> int:
        link = _LINK.match(self.text, at)
        if link is None:
            return at + 2
        if link["text"] is None:
            target = link["target"]
            shown = "" if _PICTURE.fullmatch(target) else target.removeprefix("file:").lstrip("*#")
            return self._drop(at, link.end(), shown)
        if _PICTURE.fullmatch(link["text"]):
            return self._drop(at, link.end())
        self._drop(at, link.start("text"))
        self._drop(link.end("text"), link.end())
        return link.start("text")

    def _address(self, at: int) -> int:
        """An address that stands in the text. What is in it are no marks."""
        found = _ADDRESS.match(self.text, at)
        if found is None:
            return at + 1
        if found[1]:
            self._drop(at, at + 1)
            self._drop(found.end() - 1, found.end())
        return found.end()

    def _macro(self, at: int) -> int:
        found = _MACRO.match(self.text, at)
        if found is None:
            return at + 3
        said = self.macros.text_of(found["name"], found["arguments"] or "")
        return self._drop(at, found.end(), read_inline(said))

    def _emphasis(self, at: int, mark: str) -> int:
        end = -1 if at in self.ends else self._end(at, mark)
        if end < 0:
            return at + 1
        self._drop(at, at + 1)
        self._drop(end, end + 1)
        self.ends.add(end)
        return end + 1 if mark in "=~" else at + 1

    def _end(self, at: int, mark: str) -> int:
        known = self.closing.get(mark, 0)
        if 0 <= known < at + 2:
            found = _CLOSINGS[mark].search(self.text, at + 2)
            known = self.closing[mark] = found.start() if found else -1
        return known if known - at <= _LONGEST else -1


def _said(found: re.Match[str]) -> str:
    if keys := found.groupdict().get("keys"):
        return f"({keys.replace('@', '').strip()})"
    if name := found.groupdict().get("name"):
        return html5.get(f"{name};", found[0])
    return next(filter(None, found.groups()), "")


_OTHERS: Final = {
    "[fn:": (_NOTE,), "[cite": (_CITATION,), "src_": (_SOURCE,),
    "<<": (_TARGET,), "@@": (_SNIPPET,), "\\": (_ENTITY,), "_{": (_SCRIPT,),
    "^{": (_SCRIPT,),
}  # fmt: skip
