"""Reads a page: its title, its language and its text as Markdown."""

from __future__ import annotations

from selectolax.lexbor import LexborHTMLParser

from partywall.features.documents.html.regions import Block, text_of_page
from partywall.features.documents.html.source import repaired
from partywall.features.documents.html.titles import language_of, title_of_page
from partywall.features.documents.html.walk import Care, Walker, walk
from partywall.features.documents.html.writer import joined


def title_language_and_text(html: str) -> tuple[str, str, str]:
    """If all of the text is in navigation, buttons or hidden parts, it is the page's text."""
    tree = LexborHTMLParser(repaired(html))
    walker, blocks = _read(tree, Care.AROUND_AND_HIDDEN)
    for care in (Care.HIDDEN, Care.NOTHING):
        if not blocks:
            walker, blocks = _read(tree, care)
    return title_of_page(tree, walker.title, blocks, walker.writer.blocks()), language_of(tree), joined(blocks)


def _read(tree: LexborHTMLParser, care: Care) -> tuple[Walker, list[Block]]:
    walker = walk(tree, care)
    return walker, text_of_page(walker.writer.blocks(), walker.writer.regions)
