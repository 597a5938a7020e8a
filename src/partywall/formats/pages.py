"""The pages of a document's text: pages of a PDF, slides, sheets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from partywall.formats.file_kinds import MEDIA_TYPES

PAGE_BREAK: Final = "\f"
"""Stands between two pages in the text of a file that has pages. In other texts it means nothing."""

_SLIDES_AND_SHEETS: Final = frozenset(
    MEDIA_TYPES[suffix]
    for suffix in (".pptx", ".pptm", ".ppsx", ".ppt", ".odp", ".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
)
_PAGED: Final = _SLIDES_AND_SHEETS | {MEDIA_TYPES[".pdf"]}


def has_pages(media_type: str) -> bool:
    return media_type in _PAGED


def is_section(media_type: str) -> bool:
    """Whether each page is a section of its own. A section of a PDF goes on over its pages."""
    return media_type in _SLIDES_AND_SHEETS


def pages(content: str) -> Iterator[tuple[int, int]]:
    """Where each page starts and ends, without the page breaks."""
    start = 0
    while (end := content.find(PAGE_BREAK, start)) >= 0:
        yield start, end
        start = end + 1
    yield start, len(content)
