"""Cuts documents into chunks, each within one page, and finds the page and section of a place in a document."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Final, NamedTuple

from partywall.features.search.chunker import LONGEST_HEADING, Chunk, chunk_text, chunks_under
from partywall.formats.pages import PAGE_BREAK, has_pages, is_section, pages
from partywall.formats.readable_text import readable_text

_LOOKED_BACK: Final = 256 * 1024
"""Characters before a place in which its heading is looked for."""
_PAGES_BACK: Final = 100


class Place(NamedTuple):
    page: int | None
    section: str | None


def request(content: str, media_type: str) -> bytes:
    """What `cut` reads: a line with the media type, and the text."""
    return b"%b\n%b" % (media_type.encode(), content.encode())


def cut(given: bytes) -> bytes:
    """Runs in a separate process; `chunks_of` parses the answer."""
    media_type, _, content = given.partition(b"\n")
    chunks = chunk_document(content.decode(), media_type.decode())
    places = [
        (each.start, each.end, len(each.text), each.sections, each.section, each.page, each.headings) for each in chunks
    ]
    return json.dumps(places).encode() + b"\n" + "".join(each.text for each in chunks).encode()


def chunks_of(answer: bytes) -> list[Chunk]:
    places, _, written = answer.partition(b"\n")
    text, at, chunks = written.decode(), 0, []
    for start, end, length, sections, *others in json.loads(places):
        below = tuple((place, heading) for place, heading in sections)
        chunks.append(replace(Chunk(start, end, text[at : at + length], *others), sections=below))
        at += length
    return chunks


def chunk_document(content: str, media_type: str) -> list[Chunk]:
    """The chunks in order. Like `chunk_text`, but none crosses a page of a file that has pages."""
    if not has_pages(media_type):
        return chunk_text(content, media_type)
    return list(_by_page(content, media_type)) or [Chunk(0, 0, "")]


def _by_page(content: str, media_type: str) -> Iterator[Chunk]:
    heading = ""
    for number, (start, end) in enumerate(pages(content), start=1):
        found, heading = chunks_under("" if is_section(media_type) else heading, content[start:end], media_type)
        yield from (replace(each, start=start + each.start, end=start + each.end, page=number) for each in found)


def place_of(content: str, media_type: str, position: int) -> Place:
    """The page of a position, and the heading above it, if it is near."""
    first = max(0, position - _LOOKED_BACK)
    if not has_pages(media_type):
        return Place(None, _heading_above(content, media_type, first, position))
    above = _headings_by_page(content, media_type, first, position)
    section = next(above) if is_section(media_type) else next(filter(None, islice(above, _PAGES_BACK)), None)
    return Place(content.count(PAGE_BREAK, 0, position) + 1, section)


def _headings_by_page(content: str, media_type: str, first: int, position: int) -> Iterator[str | None]:
    """The last heading of each page, from that of the position back to that of `first`."""
    while (start := content.rfind(PAGE_BREAK, first, position) + 1) > 0:
        yield _heading_above(content, media_type, start, position)
        position = start - 1
    yield _heading_above(content, media_type, first, position)


def _heading_above(content: str, media_type: str, start: int, position: int) -> str | None:
    found = readable_text(content[start : position + LONGEST_HEADING], media_type)
    for heading in reversed(found.headings):
        if start + found.span(heading.start, heading.start + 1)[0] <= position:
            return heading.text[:LONGEST_HEADING] or None
    return None
