"""The blocks of a Markdown text, and where they stand in it. The library parses blocks only: inline marks it would read
ten times as slowly, and without their places."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_block import StateBlock
    from markdown_it.token import Token

MOST_LINES: Final = 100_000
"""Further lines are not parsed: a line takes some microseconds, and up to forty if it is nested."""
_DEEPEST: Final = 16  # a list takes two levels

_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_QUOTE: Final = re.compile(r">[ ]?")
_QUOTES: Final = re.compile(r"[ \t]*+(?:>[ ]?[ \t]*+)++")
# Of other programs: `::: note Title` and `!!! note "Title"` with an indented body, and `=== "Tab"`.
_BOX: Final = re.compile(r"""(?:!!!|\?\?\?\+?|===[!+]?)[ \t]++[\w"' -]""")

type Place = tuple[int, int]


class Dialect(Enum):
    """The rules of the library that are left out."""

    MARKDOWN = ()
    PLAIN = ("html_block", "reference", "directive", "list", "blockquote")
    """Text that may have headings in the way of Markdown."""
    EXTRACTED = ("html_block", "reference", "directive", "lheading", "code", "list", "blockquote", "hr")
    """What our readers write of other files."""


class Kind(StrEnum):
    HEADING = "heading"
    TEXT = "text"
    CODE = "code"
    HTML = "html"
    DIRECTIVE = "directive"
    FOOTNOTE = "footnote"
    MARK = "mark"
    """Nothing to read: a rule, the definition of a link, a fence, the line under a heading."""


@dataclass(frozen=True, slots=True)
class Block:
    """`text[start:end]`, whole lines. `lines` are the places of its text without the marks of quotes and lists.

    `depth` is 0 outside of lists and quotes. `info` names the language of code.
    """

    kind: Kind
    start: int
    end: int
    depth: int = 0
    lines: Sequence[Place] = ()
    info: str = ""


@dataclass(slots=True)
class Blocks:
    """`quotes` are the places of the marks before quoted lines, `labels` what links can refer to."""

    found: list[Block] = field(default_factory=list)
    quotes: list[Place] = field(default_factory=list)
    labels: frozenset[str] = frozenset()


def label_of(written: str) -> str:
    """Labels are compared in this form."""
    return " ".join(written.split()).casefold()


def blocks_of(text: str, dialect: Dialect, start: int = 0) -> Blocks:
    """The blocks from `start` on, in order."""
    # A form feed separates pages, so it ends a paragraph as an empty line does.
    paged = text.replace("\f", "\n")
    edges = [start, *(found.end() for found in _LINE_END.finditer(paged, start))]
    del edges[MOST_LINES + 1 :]
    whole = len(edges) <= MOST_LINES
    tokens = _parser(dialect).parse(paged[start:] if whole else paged[start : edges[-1]])
    if whole:
        edges.append(len(text))
    return _Places(paged, edges).blocks(tokens)


@cache
def _parser(dialect: Dialect) -> MarkdownIt:
    """The library is loaded only by a process that needs it."""
    parser: MarkdownIt = import_module("markdown_it").MarkdownIt(
        "commonmark", {"maxNesting": _DEEPEST, "inline_definitions": True}
    )
    parser.block.ruler.before("fence", "directive", _directive, {"alt": ["paragraph", "reference", "blockquote"]})
    parser.disable(["inline", "text_join", *dialect.value])
    parser.parse("-")  # prepares the rules, which two threads may not do at once
    return parser


def _directive(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    """A line that begins or ends a box. The body is ordinary text, indented or not."""
    at = state.bMarks[start_line] + state.tShift[start_line]
    if state.src[at : at + 3] not in (":::", "!!!", "???", "===") or state.is_code_block(start_line):
        return False
    is_indented = state.src[at] != ":"
    if is_indented and not _BOX.match(state.src, at, state.eMarks[start_line]):
        return False
    if silent:
        return True
    state.push("directive", "", 0).map = [start_line, start_line + 1]
    state.line = start_line + 1
    if is_indented:
        _read_body(state, start_line + 1, end_line)
    return True


def _read_body(state: StateBlock, first: int, end_line: int) -> None:
    indent = state.blkIndent + 4
    last = first
    while last < end_line and (state.isEmpty(last) or state.sCount[last] >= indent):
        last += 1
    before = state.blkIndent, state.lineMax, state.level
    state.blkIndent, state.lineMax, state.level = indent, last, state.level + 1
    state.md.block.tokenize(state, first, last)
    state.blkIndent, state.lineMax, state.level = before
    state.line = max(first, last)


@dataclass(slots=True)
class _Places:
    """Finds the places of tokens. Line `n` is `text[edges[n]:edges[n + 1]]`."""

    text: str
    edges: Sequence[int]
    quoted: int = 0
    result: Blocks = field(default_factory=Blocks)

    def blocks(self, tokens: Sequence[Token]) -> Blocks:
        labels = set[str]()
        for index, token in enumerate(tokens):
            self.quoted += {"blockquote_open": 1, "blockquote_close": -1}.get(token.type, 0)
            if token.type == "inline":
                self._add_text(tokens[index - 1], token)
            elif token.type == "definition" and not str(token.meta["label"]).startswith("^"):
                labels.add(label_of(token.meta["label"]))
                self._add(Kind.MARK, token)
            elif token.type in _KINDS:
                self._add(_KINDS[token.type], token)
            elif token.type == "fence":
                self._add_fence(token)
        self.result.labels = frozenset(labels)
        return self.result

    def _range(self, token: Token) -> tuple[int, int]:
        first, last = token.map or (0, 0)
        return first, min(last, len(self.edges) - 1)

    def _add(self, kind: Kind, token: Token) -> None:
        self._add_lines(kind, *self._range(token), token.level)

    def _add_lines(self, kind: Kind, first: int, last: int, depth: int, info: str = "") -> None:
        if first < last:
            self.result.found.append(Block(kind, self.edges[first], self.edges[last], depth, info=info))
        if self.quoted and kind is not Kind.MARK:
            for line in range(first, last):
                if marks := _QUOTES.match(self.text, self.edges[line], self.edges[line + 1]):
                    self.result.quotes.append(marks.span())

    def _add_fence(self, token: Token) -> None:
        first, last = self._range(token)
        self._add_lines(Kind.MARK, first, first + 1, token.level)
        line = self.text[self.edges[last - 1] : self.edges[last]].strip(" \t>\r\n")
        closed = last - first > 1 and len(line) >= len(token.markup) and not line.strip(token.markup[0])
        self._add_lines(Kind.CODE, first + 1, last - closed, token.level, token.info.strip())
        if closed:
            self._add_lines(Kind.MARK, last - 1, last, token.level)

    def _add_text(self, opening: Token, token: Token) -> None:
        first, last = self._range(opening)
        lines = list(self._lines(opening, token, first))
        if opening.type == "paragraph_open":
            self.result.found.append(Block(Kind.TEXT, self.edges[first], self.edges[last], opening.level, lines))
            return
        is_underlined = not opening.markup.startswith("#")
        end = last - 1 if is_underlined else last
        self.result.found.append(Block(Kind.HEADING, self.edges[first], self.edges[end], opening.level, lines))
        if is_underlined:
            self._add_lines(Kind.MARK, end, last, opening.level)

    def _lines(self, opening: Token, token: Token, first: int) -> Iterator[Place]:
        for number, content in enumerate(token.content.split("\n"), start=first):
            start, end = self.edges[number], self.edges[number + 1]
            content = content.strip()
            if opening.markup.startswith("#"):
                after = self.text.find(opening.markup, start, end) + len(opening.markup)
                at = self.text.find(content, after, end) if content else after
            else:  # the marks before the text are not in the content
                at = start + len(self.text[start:end].rstrip()) - len(content)
            at = max(start, at)
            self.result.quotes += (mark.span() for mark in _QUOTE.finditer(self.text, start, at))
            yield at, at + len(content)


_KINDS: Final = {
    "html_block": Kind.HTML, "code_block": Kind.CODE, "hr": Kind.MARK, "directive": Kind.DIRECTIVE,
    "definition": Kind.FOOTNOTE,
}  # fmt: skip
