"""Converts HTML to Markdown-like text. Only headings, paragraphs, lists, table cells and preformatted text remain."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from selectolax.lexbor import LexborHTMLParser, LexborNode, SelectolaxError

_DROPPED: Final = frozenset(
    {"head", "script", "style", "noscript", "template", "iframe", "object", "embed", "svg", "math", "canvas",
     "audio", "video", "select", "textarea", "button"}
)  # fmt: skip
_BLOCKS: Final = frozenset(
    {"address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "dialog", "div", "dl",
     "dt", "fieldset", "figcaption", "figure", "footer", "form", "header", "hgroup", "hr", "html", "legend", "li",
     "main", "menu", "nav", "ol", "p", "pre", "section", "summary", "table", "tbody", "tfoot", "thead", "tr", "ul",
     "h1", "h2", "h3", "h4", "h5", "h6"}
)  # fmt: skip
_CELLS: Final = frozenset({"td", "th"})
_HEADING: Final = re.compile(r"h([1-6])")
_SPACES: Final = re.compile(r"[ \t\r\n\f]+")

_BYTE_ORDER_MARK: Final = "\ufeff"  # the parser would take it for body text and ignore the head


@dataclass(frozen=True, slots=True)
class Page:
    """`title` is one line: the page's title, or else its first heading."""

    title: str
    text: str

    @classmethod
    def parse(cls, written: bytes) -> Page:
        """Parse the output of `read_page`."""
        title, _, text = written.decode().partition("\n")
        return cls(title, text)


class _Writer:
    """Collects inline text into blocks; the next block begins with `prefix`."""

    def __init__(self) -> None:
        self.blocks: list[str] = []
        self.heading = ""
        self._line: list[str] = []
        self._prefix = ""
        self.preformatted = 0

    def begin(self, prefix: str = "") -> None:
        self.end()
        self._prefix = prefix

    def add(self, text: str) -> None:
        self._line.append(text if self.preformatted else _SPACES.sub(" ", text))

    def break_line(self) -> None:
        self._line.append("\n")

    def end(self) -> None:
        """End the block. An empty block passes its prefix to the next: `<li><p>` is one item."""
        joined = "".join(self._line)
        text = joined.strip("\r\n") if self.preformatted else "\n".join(_lines(joined))
        if text.strip():
            if self._prefix.startswith("#"):
                text = " ".join(text.split("\n"))
                self.heading = self.heading or text
            self.blocks.append(self._prefix + text)
            self._prefix = ""
        self._line = []


def _lines(text: str) -> Iterator[str]:
    for line in text.split("\n"):
        stripped = _SPACES.sub(" ", line).strip()
        if stripped:
            yield stripped


def read_page(html: bytes) -> bytes:
    """Convert a page: one line of title, then the text. Runs in a text process.

    Deep nesting costs the parser quadratic time, and many tags cost much memory. Raises MemoryError if it runs out.
    """
    try:
        page = markdown_of(html.decode())
    except SelectolaxError as error:
        raise MemoryError from error
    return f"{page.title}\n{page.text}".encode()


def markdown_of(html: str) -> Page:
    tree = LexborHTMLParser(html.lstrip(_BYTE_ORDER_MARK))
    title = tree.css_first("head > title")
    writer = _Writer()
    if tree.root is not None:
        _walk(tree.root, writer)
    writer.end()
    own = _SPACES.sub(" ", title.text()).strip() if title is not None else ""
    return Page(own or writer.heading, _joined(writer.blocks))


def _joined(blocks: list[str]) -> str:
    """Blank lines between blocks, but not between list items."""
    parts: list[str] = []
    for before, block in pairwise(["", *blocks]):
        tight = before.startswith("- ") and block.startswith("- ")
        parts += ("" if not parts else "\n" if tight else "\n\n", block)
    return "".join(parts)


def _walk(root: LexborNode, writer: _Writer) -> None:
    """Iterative, because pages may be nested to any depth and have any number of siblings."""
    entered: list[LexborNode] = []
    node: LexborNode | None = root
    while node is not None or entered:
        if node is None:
            node = entered.pop()
            _leave(node, writer)
        elif node.tag == "-text":
            writer.add(node.text(deep=False))
        elif node.tag not in _DROPPED and not (node.tag or "").startswith("-") and node.tag != "!doctype":
            _enter(node, writer)
            entered.append(node)
            node = node.child
            continue
        node = node.next if entered else None


def _enter(node: LexborNode, writer: _Writer) -> None:
    tag = node.tag or ""
    if heading := _HEADING.fullmatch(tag):
        writer.begin("#" * int(heading.group(1)) + " ")
    elif tag == "li":
        writer.begin("- ")
    elif tag in _BLOCKS:
        writer.end()
    if tag == "pre":
        writer.preformatted += 1
    elif tag == "br":
        writer.break_line()
    elif tag in _CELLS:
        writer.add(" ")


def _leave(node: LexborNode, writer: _Writer) -> None:
    tag = node.tag or ""
    if tag in _BLOCKS:
        writer.end()
    if tag == "pre":
        writer.preformatted -= 1
    elif tag in _CELLS:
        writer.add(" | " if node.next is not None else "")
