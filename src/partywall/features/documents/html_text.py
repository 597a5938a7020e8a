"""Converts HTML to Markdown: the text of a page, without navigation and whatever else stands around it."""

from __future__ import annotations

from dataclasses import dataclass

from selectolax.lexbor import LexborHTMLParser, SelectolaxError

from partywall.features.documents.html.regions import Block, text_of_page
from partywall.features.documents.html.source import repaired
from partywall.features.documents.html.titles import language_of, title_of_page
from partywall.features.documents.html.walk import Care, Walker, walk
from partywall.features.documents.html.writer import joined


@dataclass(frozen=True, slots=True)
class Page:
    """`title` is one line, empty if the page has none; `language` is what the page declares."""

    title: str
    text: str
    language: str = ""

    @classmethod
    def parse(cls, written: bytes) -> Page:
        """Parse the output of `read_page`."""
        title, language, text = written.decode().split("\n", 2)
        return cls(title, text, language)


def read_page(html: bytes) -> bytes:
    """Convert a page: a line of title, a line of language, then the text. Runs in a text process.

    Deep nesting costs the parser quadratic time, and many tags cost much memory. Raises MemoryError if it runs out.
    """
    try:
        page = markdown_of(html.decode())
    except SelectolaxError as error:
        raise MemoryError from error
    return f"{page.title}\n{page.language}\n{page.text}".encode()


def markdown_of(html: str) -> Page:
    """If all of the text is in navigation, buttons or hidden parts, it is the page's text."""
    tree = LexborHTMLParser(repaired(html))
    walker, blocks = _read(tree, Care.AROUND_AND_HIDDEN)
    for care in (Care.HIDDEN, Care.NOTHING):
        if not blocks:
            walker, blocks = _read(tree, care)
    title = title_of_page(tree, walker.title, blocks, walker.writer.blocks())
    return Page(title, joined(blocks), language_of(tree))


def _read(tree: LexborHTMLParser, care: Care) -> tuple[Walker, list[Block]]:
    walker = walk(tree, care)
    return walker, text_of_page(walker.writer.blocks(), walker.writer.regions)
