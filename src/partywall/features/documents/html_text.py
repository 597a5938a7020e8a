"""Converts HTML to Markdown: the text of a page, without navigation and whatever else stands around it."""

from __future__ import annotations

from dataclasses import dataclass


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
    # lint: allow import-in-function - see `markdown_of`
    from selectolax.lexbor import SelectolaxError  # noqa: PLC0415 - see above

    try:
        page = markdown_of(html.decode())
    except SelectolaxError as error:
        raise MemoryError from error
    return f"{page.title}\n{page.language}\n{page.text}".encode()


def markdown_of(html: str) -> Page:
    # lint: allow import-in-function - takes 1 MB, which processes that read no HTML save
    from partywall.features.documents.html.page import title_language_and_text  # noqa: PLC0415 - see above

    title, language, text = title_language_and_text(html)
    return Page(title, text, language)
