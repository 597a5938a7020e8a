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

_WINDOW: Final = 128 * 1024
# So many lines are parsed, and one more for each so many characters: a line takes some microseconds, and up to forty if
# it is nested. What follows has no marks.
_MOST_LINES: Final = 20_000
_SHORTEST_LINE: Final = 64
_DEEPEST: Final = 16  # a list takes two levels

_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_DEFINITION: Final = re.compile(r"^[ ]{0,3}\[([^\[\]]{1,999}+)\]:", re.MULTILINE)
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
    """Nothing to read: a rule, a fence, the definition of a link, the line under a heading, the mark of a quotation."""


@dataclass(frozen=True, slots=True)
class Block:
    """`text[start:end]`. `lines` are the places of its text without the marks of quotes and lists.

    `depth` is 0 outside of lists and quotes. `info` names the language of code.
    """

    kind: Kind
    start: int
    end: int
    depth: int = 0
    lines: Sequence[Place] = ()
    info: str = ""


def label_of(written: str) -> str:
    """Labels are compared in this form."""
    return " ".join(written.split()).casefold()


def labels_in(text: str) -> frozenset[str]:
    """What links can refer to."""
    return frozenset(label_of(found[1]) for found in _DEFINITION.finditer(text)) if "]:" in text else frozenset()


def blocks_in(text: str, dialect: Dialect, start: int = 0) -> Iterator[list[Block]]:
    """The blocks from `start` on, in order, some at a time: the library's tokens take much memory."""
    # A form feed separates pages, so it ends a paragraph as an empty line does.
    paged = text.replace("\f", "\n")
    lines, window = _MOST_LINES + len(text) // _SHORTEST_LINE, _WINDOW
    while start < len(text) and lines > 0:
        line_end = _LINE_END.search(paged, start + window)
        end = line_end.end() if line_end else len(text)
        edges = [start, *(found.end() for found in _LINE_END.finditer(paged, start, end))]
        if edges[-1] < end:
            edges.append(end)
        tokens = _parser(dialect).parse(paged[start:end])
        line = len(edges) - 1 if end == len(text) else _last_begun(tokens) or len(edges) - 1
        if line == len(edges) - 1 < lines and end < len(text) and _may_go_on(tokens):
            window *= 2
            continue
        yield _Places(paged, edges[: line + 1]).blocks(tokens)
        start, lines, window = edges[line], lines - line, _WINDOW


def _last_begun(tokens: Sequence[Token]) -> int:
    """The line of the last block or item of a list, which may go on; 0 if it is the only one."""
    begun = (token.map[0] for token in reversed(tokens) if token.map and (not token.level or _is_item(token)))
    return next(begun, 0)


def _is_item(token: Token) -> bool:
    return token.level == 1 and token.type == "list_item_open"


def _may_go_on(tokens: Sequence[Token]) -> bool:
    """Whether the only block is code or a comment, which is read as a whole. Other blocks can be read in parts."""
    return bool(tokens) and (tokens[0].type == "fence" or tokens[0].content.lstrip().startswith("<!--"))


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
    """Finds the places of tokens. Line `n` is `text[edges[n]:edges[n + 1]]`; what begins after the last is left out."""

    text: str
    edges: Sequence[int]
    quoted: int = 0
    found: list[Block] = field(default_factory=list)

    def blocks(self, tokens: Sequence[Token]) -> list[Block]:
        for index, token in enumerate(tokens):
            self.quoted += {"blockquote_open": 1, "blockquote_close": -1}.get(token.type, 0)
            if token.map and token.map[0] >= len(self.edges) - 1:
                continue
            if token.type == "inline":
                self._add_text(tokens[index - 1], token)
            elif token.type == "definition":
                is_note = str(token.meta["label"]).startswith("^")
                self._add(Kind.FOOTNOTE if is_note else Kind.MARK, token)
            elif token.type in _KINDS:
                self._add(_KINDS[token.type], token)
            elif token.type == "fence":
                self._add_fence(token)
        return self.found

    def _range(self, token: Token) -> tuple[int, int]:
        first, last = token.map or (0, 0)
        return first, min(last, len(self.edges) - 1)

    def _add(self, kind: Kind, token: Token) -> None:
        self._add_lines(kind, *self._range(token), token.level)

    def _add_lines(self, kind: Kind, first: int, last: int, depth: int, info: str = "") -> None:
        if first < last:
            self.found.append(Block(kind, self.edges[first], self.edges[last], depth, info=info))
        if self.quoted and kind is not Kind.MARK:
            for line in range(first, last):
                if marks := _QUOTES.match(self.text, self.edges[line], self.edges[line + 1]):
                    self.found.append(Block(Kind.MARK, *marks.span()))

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
            self.found.append(Block(Kind.TEXT, self.edges[first], self.edges[last], opening.level, lines))
            return
        is_underlined = not opening.markup.startswith("#")
        end = last - 1 if is_underlined else last
        self.found.append(Block(Kind.HEADING, self.edges[first], self.edges[end], opening.level, lines))
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
            self.found += (Block(Kind.MARK, *mark.span()) for mark in _QUOTE.finditer(self.text, start, at))
            yield at, at + len(content)


_KINDS: Final = {
    "html_block": Kind.HTML, "code_block": Kind.CODE, "hr": Kind.MARK, "directive": Kind.DIRECTIVE,
}  # fmt: skip
