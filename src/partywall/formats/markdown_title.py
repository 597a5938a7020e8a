"""What a Markdown file says about itself: the title, from its front matter or else its first heading, and metadata."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from partywall.formats.front_matter import FrontMatter, front_matter
from partywall.formats.markdown_marks import headings_of
from partywall.formats.one_line import one_line

__all__ = ["SEARCHED", "described", "markdown_title", "one_line"]

SEARCHED: Final = 64 * 1024
"""In characters; a file without a heading up to here is named after its file name."""
_FIRST: Final = 4 * 1024


def described(text: str) -> FrontMatter:
    """The front matter, with the first heading as title if it has none."""
    found = front_matter(text)
    return found if found.title else replace(found, title=_first_heading(text, found.end))


def markdown_title(text: str) -> str:
    """The title in one line; empty if there is none."""
    return described(text).title


def _first_heading(text: str, start: int) -> str:
    """Most files have one at their beginning. What is cut off at the end of a part does not count there."""
    for longest in (start + _FIRST, SEARCHED):
        head = text[:longest]
        heading = next(headings_of(head, start), None)
        is_whole = longest == SEARCHED or len(head) == len(text)
        if is_whole or (heading is not None and heading.start < start + _FIRST // 2):
            return "" if heading is None else heading.text
    return ""
