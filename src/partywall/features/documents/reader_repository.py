"""Reads that build their JSON in the database, with statements compiled once."""

from __future__ import annotations

from functools import cache
from typing import Final

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Integer,
    Select,
    SQLColumnExpression,
    Text,
    Uuid,
    bindparam,
    case,
    exists,
    func,
    funcfilter,
    literal_column,
    null,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY

from partywall.core.db.json_rows import json_bytes, json_object, json_row
from partywall.core.db.scoped_query import OPENED, PROJECT_ID, ScopedQuery
from partywall.core.large_answers import LARGE_ANSWER_BYTES
from partywall.features.documents.columns import Rows, document_columns, version_columns
from partywall.features.documents.constants import CHARSET
from partywall.features.documents.models import DOCUMENT, DOCUMENT_TEXT, DOCUMENT_VERSION, Document, DocumentVersion
from partywall.features.documents.pages import whole_page

type Found = Select[*tuple[object, ...]]
type Proof = ColumnElement[bool]

_DOCUMENT_ID: Final = bindparam("document_id", type_=Uuid)
_NUMBER: Final = bindparam("number", type_=Integer)
_SHA256: Final = bindparam("sha256", type_=Text)
_ONE_MORE: Final = bindparam("one_more", type_=Integer)
_OFFSET: Final = bindparam("offset", type_=Integer)


def _whole(allowed: Proof) -> Found:
    body = json_bytes(json_row(document_columns(DOCUMENT, content=True), DOCUMENT))
    return select(body.label("body"), DOCUMENT.c.size, DOCUMENT.c.revision, DOCUMENT.c.state).where(
        DOCUMENT.c.project_id == PROJECT_ID, DOCUMENT.c.id == _DOCUMENT_ID, allowed
    )


def _one(allowed: Proof) -> Found:
    """The body is NULL for a large document, whose memory must be reserved first."""
    body = json_bytes(json_row(document_columns(DOCUMENT, content=True), DOCUMENT))
    return select(_small(DOCUMENT, body), DOCUMENT.c.size, DOCUMENT.c.revision, DOCUMENT.c.state).where(
        DOCUMENT.c.project_id == PROJECT_ID, DOCUMENT.c.id == _DOCUMENT_ID, allowed
    )


def _small(rows: Rows, body: ColumnElement[object]) -> ColumnElement[object]:
    return case((rows.c.size <= literal_column(str(LARGE_ANSWER_BYTES), Integer), body)).label("body")


ONE: Final = ScopedQuery.read(_one)
WHOLE: Final = ScopedQuery.read(_whole)


def _content(allowed: Proof) -> Found:
    """What is needed to stream any part of the text; `piece` is the requested part of it."""
    names = ("size", "content_sha256", "version", "media_type", "original_key", "original_name", "original_size")
    charset = DOCUMENT.c.metadata.op("->>")(literal_column(f"'{CHARSET}'", Text)).label("charset")
    columns = (*(DOCUMENT.c[name] for name in names), charset, _piece(DOCUMENT.c.content).label("piece"))
    return select(*columns).where(DOCUMENT.c.project_id == PROJECT_ID, DOCUMENT.c.id == _DOCUMENT_ID, allowed)


def _content_piece(allowed: Proof) -> Found:
    """A part of the text with this hash, even if it is no longer current; NULL if the document is deleted."""
    document = exists().where(DOCUMENT.c.project_id == PROJECT_ID, DOCUMENT.c.id == _DOCUMENT_ID)
    return select(_piece(_text(_SHA256, allowed)).label("piece")).where(document, allowed)


def _text(sha256: ColumnElement[str], allowed: Proof, *correlated: FromClause) -> ColumnElement[object]:
    """A current or former text of the document, by its hash."""
    current, earlier = DOCUMENT.c, DOCUMENT_TEXT.c
    found = (
        select(current.content).where(
            current.project_id == PROJECT_ID, current.id == _DOCUMENT_ID, current.content_sha256 == sha256, allowed
        ),
        select(earlier.content).where(
            earlier.project_id == PROJECT_ID,
            earlier.document_id == _DOCUMENT_ID,
            earlier.content_sha256 == sha256,
            allowed,
        ),
    )
    return func.coalesce(*(each.correlate(OPENED, *correlated).scalar_subquery() for each in found))


def _text_page(allowed: Proof) -> Found:
    """Counts in characters, like search."""
    columns = DOCUMENT.c
    page = func.substring(columns.content, bindparam("start", type_=Integer) + 1, bindparam("length", type_=Integer))
    return select(
        columns.title, columns.version, func.char_length(columns.content).label("characters"), page.label("text")
    ).where(columns.project_id == PROJECT_ID, columns.id == _DOCUMENT_ID, allowed)


def _piece(content: ColumnElement[str] | ColumnElement[object]) -> ColumnElement[object]:
    encoded = func.convert_to(content, literal_column("'UTF8'", Text))
    return func.substring(encoded, bindparam("start", type_=Integer) + 1, bindparam("length", type_=Integer))


def _version_key() -> tuple[ColumnElement[bool], ...]:
    columns = DOCUMENT_VERSION.c
    return columns.project_id == PROJECT_ID, columns.document_id == _DOCUMENT_ID, columns.number == _NUMBER


def _version(allowed: Proof) -> Found:
    """Like `_one`."""
    return _version_with(_small(DOCUMENT_VERSION, _version_body(allowed)), allowed)


def _whole_version(allowed: Proof) -> Found:
    return _version_with(_version_body(allowed).label("body"), allowed)


def _version_body(allowed: Proof) -> ColumnElement[object]:
    content: ColumnElement[object] = _text(DOCUMENT_VERSION.c.content_sha256, allowed, DOCUMENT_VERSION).label(
        "content"
    )
    return json_bytes(json_row([*version_columns(DOCUMENT_VERSION), content], DOCUMENT_VERSION))


def _version_with(body: ColumnElement[object], allowed: Proof) -> Found:
    newest = select(Document.version).where(Document.project_id == PROJECT_ID, Document.id == _DOCUMENT_ID, allowed)
    version = select(body).where(*_version_key(), allowed)
    size = select(DOCUMENT_VERSION.c.size).where(*_version_key(), allowed)
    return select(
        version.correlate(OPENED).scalar_subquery().label("body"),
        size.correlate(OPENED).scalar_subquery().label("size"),
        newest.correlate(OPENED).scalar_subquery().label("newest"),
    )


def _versions(allowed: Proof) -> Found:
    """The chosen versions, one array for each column."""
    columns = DOCUMENT_VERSION.c
    named = {
        "numbers": columns.number,
        "titles": columns.title,
        "sizes": columns.size,
        "hashes": columns.content_sha256,
    }
    chosen = columns.number == func.any(bindparam("numbers", type_=ARRAY(Integer)))
    newest = select(Document.version).where(Document.project_id == PROJECT_ID, Document.id == _DOCUMENT_ID, allowed)
    return select(
        *(func.array_agg(each).label(name) for name, each in named.items()),
        newest.correlate(OPENED).scalar_subquery().label("newest"),
    ).where(columns.project_id == PROJECT_ID, columns.document_id == _DOCUMENT_ID, chosen, allowed)


@cache
def version_page(goes_on: bool, counts: bool) -> ScopedQuery:
    """Newest first."""
    columns = DOCUMENT_VERSION.c

    def page(allowed: Proof) -> Found:
        mine = (columns.project_id == PROJECT_ID, columns.document_id == _DOCUMENT_ID, allowed)
        rows = (
            select(*version_columns(DOCUMENT_VERSION))
            .where(*mine, *([columns.number < bindparam("after", type_=Integer)] if goes_on else []))
            .order_by(columns.number.desc())
            .limit(_ONE_MORE)
            .offset(_OFFSET)
            .correlate(OPENED)
            .lateral("chosen")
        )
        newest = select(Document.version).where(Document.project_id == PROJECT_ID, Document.id == _DOCUMENT_ID, allowed)
        total = select(func.count()).select_from(DocumentVersion).where(*mine).correlate(OPENED).scalar_subquery()
        return whole_page(rows, "number", "number", total if counts else null()).add_columns(
            newest.correlate(OPENED).scalar_subquery().label("newest")
        )

    return ScopedQuery.read(page)


def _stats(allowed: Proof) -> Found:
    def count(column: str, value: str) -> SQLColumnExpression[object]:
        return funcfilter(func.count(), DOCUMENT.c[column] == literal_column(f"'{value}'", Text))

    def counts(column: str, values: tuple[str, ...]) -> ColumnElement[object]:
        return json_object({value: count(column, value) for value in values})

    body = json_object(
        {
            "total": func.count(),
            "by_status": counts("status", ("draft", "published")),
            "by_index_status": counts("index_status", ("pending", "indexed", "failed")),
            "size": func.coalesce(func.sum(DOCUMENT.c.size), literal_column("0")),
            "chunks": func.coalesce(func.sum(DOCUMENT.c.chunks), literal_column("0")),
        }
    )
    return select(json_bytes(body).label("body")).where(DOCUMENT.c.project_id == PROJECT_ID, allowed)


def _taken(allowed: Proof) -> Found:
    given = bindparam("external_ids", type_=ARRAY(Text))
    return select(func.array_agg(DOCUMENT.c.external_id).label("taken")).where(
        DOCUMENT.c.project_id == PROJECT_ID, DOCUMENT.c.external_id == func.any(given), allowed
    )


def _largest(allowed: Proof) -> Found:
    versions = DOCUMENT_VERSION.c
    return select(func.max(versions.size).label("size")).where(
        versions.project_id == PROJECT_ID, versions.document_id == _DOCUMENT_ID, allowed
    )


LARGEST: Final = ScopedQuery.read(_largest)
TAKEN: Final = ScopedQuery.read(_taken)
CONTENT: Final = ScopedQuery.read(_content)
CONTENT_PIECE: Final = ScopedQuery.read(_content_piece)
VERSION: Final = ScopedQuery.read(_version)
VERSIONS: Final = ScopedQuery.read(_versions)
WHOLE_VERSION: Final = ScopedQuery.read(_whole_version)
TEXT_PAGE: Final = ScopedQuery.read(_text_page)
STATS: Final = ScopedQuery.read(_stats)
