"""Reads documents as JSON that PostgreSQL has written; `file_reader.py` reads uploaded files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import asyncpg
import orjson

from partywall.core.db.scoped_access import ScopedReader
from partywall.core.db.scoped_query import ScopedQuery, Value
from partywall.core.errors import ForeignCursorError, InvalidInputError
from partywall.core.pagination import Cursors
from partywall.core.rights import require
from partywall.core.schemas import PageQuery
from partywall.features.documents import list_repository as lists
from partywall.features.documents import reader_repository as reads
from partywall.features.documents.exceptions import DocumentNotFoundError, VersionNotFoundError
from partywall.features.documents.filters.lookup import look_up
from partywall.features.documents.filters.matches import Matching
from partywall.features.documents.list_repository import KEYSET, Listing
from partywall.features.documents.rights import DOCUMENT_READ
from partywall.features.documents.schemas import DocumentQuery, VersionQuery

_FILTERS: Final = ("external_id", "status", "index_status", "q_title")


@dataclass(frozen=True, slots=True)
class DocumentJson:
    """A document as JSON, with the two numbers of its entity tag."""

    body: bytes
    revision: int
    state: int


@dataclass(frozen=True, slots=True)
class LargeDocumentJson:
    """A document whose JSON needs memory to be reserved first; `size` is that of its text in bytes."""

    size: int
    revision: int
    state: int


@dataclass(frozen=True, slots=True)
class TextPage:
    """A part of a document's text; `characters` is the length of the whole text."""

    title: str
    version: int
    characters: int
    text: str


async def get_text(reader: ScopedReader, project_id: UUID, document_id: UUID, start: int, length: int) -> TextPage:
    """At most `length` characters from position `start`; empty after the end. Raises DocumentNotFoundError."""
    values: dict[str, Value] = {"document_id": document_id, "start": start, "length": length}
    scope, row = await reader.row(reads.TEXT_PAGE, project_id, values)
    require(scope, DOCUMENT_READ)
    if row["version"] is None:
        raise DocumentNotFoundError
    return TextPage(row["title"], row["version"], row["characters"], row["text"])


async def get(reader: ScopedReader, project_id: UUID, document_id: UUID) -> DocumentJson | LargeDocumentJson:
    """Raises DocumentNotFoundError."""
    scope, row = await reader.row(reads.ONE, project_id, {"document_id": document_id})
    require(scope, DOCUMENT_READ)
    if row["revision"] is None:
        raise DocumentNotFoundError
    body: bytes | None = row["body"]
    return LargeDocumentJson(row["size"], row["revision"], row["state"]) if body is None else _shown(row)


async def get_whole(reader: ScopedReader, project_id: UUID, document_id: UUID) -> DocumentJson:
    """Like `get`, but also returns the JSON of large documents."""
    scope, row = await reader.row(reads.WHOLE, project_id, {"document_id": document_id})
    require(scope, DOCUMENT_READ)
    if row["revision"] is None:
        raise DocumentNotFoundError
    return _shown(row)


def _shown(row: asyncpg.Record) -> DocumentJson:
    return DocumentJson(row["body"], row["revision"], row["state"])


async def list_documents(reader: ScopedReader, project_id: UUID, query: DocumentQuery, cursors: Cursors) -> bytes:
    query.refuse_both()
    filters = {name: value for name in _FILTERS if (value := getattr(query, name)) is not None}
    matching = None if query.filter is None else await look_up(reader, project_id, query.filter)
    named = (f"{name}={value}" for name, value in filters.items())
    listing = ("documents", project_id, query.sort, *named, *([] if matching is None else [matching.tree]))
    after: Mapping[str, Value] = {}
    if query.cursor is not None:
        position = await position_of(reader, project_id, cursors, listing, query.cursor, 2)
        after = KEYSET.parse(query.sort, position)
    page = Listing(query.sort, bool(after), query.offset is not None, frozenset(filters))
    values: dict[str, Value] = {**window(query), **filters, **after}
    read = reader.long_row if page.is_long or matching is not None else reader.row
    scope, row = await read(_page(page, matching), project_id, values)
    if row["items"] is None:
        scope, row = await read(_page(page._replace(short=True), matching), project_id, values)
    require(scope, DOCUMENT_READ)
    cursor = cursors.encode(listing, [row["last_value"], row["last_id"]]) if row["more"] else None
    return page_json(row["items"], cursor, row["total"])


def _page(listing: Listing, matching: Matching | None) -> ScopedQuery:
    return lists.page_of(listing) if matching is None else lists.page_of_matching(listing, matching)


async def list_versions(
    reader: ScopedReader, project_id: UUID, document_id: UUID, query: VersionQuery, cursors: Cursors
) -> bytes:
    query.refuse_both()
    listing = ("versions", project_id, document_id)
    values: dict[str, Value] = {"document_id": document_id, **window(query)}
    if query.cursor is not None:
        [position] = await position_of(reader, project_id, cursors, listing, query.cursor, 1)
        values["after"] = _number(position)
    page = reads.version_page(query.cursor is not None, query.offset is not None)
    read = reader.row if query.offset is None else reader.long_row
    scope, row = await read(page, project_id, values)
    require(scope, DOCUMENT_READ)
    if row["newest"] is None:
        raise DocumentNotFoundError
    cursor = cursors.encode(listing, [row["last_value"]]) if row["more"] else None
    return page_json(row["items"], cursor, row["total"])


async def get_version(reader: ScopedReader, project_id: UUID, document_id: UUID, number: int) -> bytes | int:
    """The version's JSON, or the size of its text (bytes) if it is large.

    Raises DocumentNotFoundError or VersionNotFoundError.
    """
    row = await _version(reads.VERSION, reader, project_id, document_id, number)
    body: bytes | None = row["body"]
    size: int = row["size"]
    return size if body is None else body


async def get_whole_version(reader: ScopedReader, project_id: UUID, document_id: UUID, number: int) -> bytes:
    body: bytes = (await _version(reads.WHOLE_VERSION, reader, project_id, document_id, number))["body"]
    return body


async def _version(
    read: ScopedQuery, reader: ScopedReader, project_id: UUID, document_id: UUID, number: int
) -> asyncpg.Record:
    scope, row = await reader.row(read, project_id, {"document_id": document_id, "number": number})
    require(scope, DOCUMENT_READ)
    if row["newest"] is None:
        raise DocumentNotFoundError
    if row["size"] is None:
        raise VersionNotFoundError
    return row


async def largest(reader: ScopedReader, project_id: UUID, document_id: UUID) -> int:
    """Size in bytes of the largest text among the document's versions; 0 if there is no document."""
    _, row = await reader.row(reads.LARGEST, project_id, {"document_id": document_id})
    size: int | None = row["size"]
    return size or 0


async def get_stats(reader: ScopedReader, project_id: UUID) -> bytes:
    scope, row = await reader.long_row(reads.STATS, project_id, {})
    require(scope, DOCUMENT_READ)
    body: bytes = row["body"]
    return body


async def position_of(
    reader: ScopedReader, project_id: UUID, cursors: Cursors, listing: Sequence[object], cursor: str, length: int
) -> list[str]:
    """The cursor's position. Access is checked before a cursor error is raised, so outsiders cannot probe cursors."""
    try:
        return cursors.decode(listing, cursor, length)
    except InvalidInputError:
        await reader.scope(project_id)
        raise


def window(query: PageQuery) -> dict[str, Value]:
    return {"limit": query.limit, "one_more": query.limit + 1, "offset": query.offset or 0}


def _number(position: str) -> int:
    if not position.isdecimal():
        raise ForeignCursorError
    return int(position)


def page_json(items: bytes, cursor: str | None, total: int | None) -> bytes:
    return b'{"items":%b,"next_cursor":%b,"total":%b}' % (items, orjson.dumps(cursor), orjson.dumps(total))
