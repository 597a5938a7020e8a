"""Inserts documents, their first versions and their events in one statement, for one document or for 500."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final
from uuid import UUID

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    FromClause,
    Integer,
    Text,
    Uuid,
    bindparam,
    cast,
    column,
    func,
    insert,
    literal_column,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from partywall.core.db.json_rows import json_bytes, json_row, json_rows
from partywall.core.db.scoped_query import PRINCIPAL, PROJECT_ID, OpenedScope, ScopedQuery, Value, WriteResult
from partywall.features.documents.columns import document_columns
from partywall.features.documents.models import DOCUMENT, DOCUMENT_VERSION


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A row to insert. `metadata` is JSON; `size` (bytes) and `content_sha256` are of the content in UTF-8.

    `charset`, which is in the metadata too, was declared for an unread file.
    """

    id: UUID
    external_id: str | None
    title: str
    content: str
    metadata: str
    status: str
    media_type: str
    size: int
    content_sha256: str
    original_key: str | None = None
    original_name: str | None = None
    original_size: int | None = None
    index_error: str | None = None
    source_sha256: str | None = None
    unread_title: str | None = None
    charset: str = ""


_GIVEN: Final[dict[str, Uuid[UUID] | Text | Integer]] = {
    "id": Uuid(), "external_id": Text(), "title": Text(), "content": Text(), "metadata": Text(), "status": Text(),
    "media_type": Text(), "size": Integer(), "content_sha256": Text(), "original_key": Text(),
    "original_name": Text(), "original_size": BigInteger(), "index_error": Text(), "source_sha256": Text(),
    "unread_title": Text(),
}  # fmt: skip
_FIRST: Final = ("title", "size", "content_sha256", "created_by", "created_at")


def values_of(document: NewDocument) -> dict[str, Value]:
    return {name: getattr(document, name) for name in _GIVEN}


def values_of_many(documents: Sequence[NewDocument]) -> dict[str, Value]:
    return {name: [getattr(document, name) for document in documents] for name in _GIVEN}


def _given_one() -> FromClause:
    """Without arrays: the driver would encode them separately and so keep another copy of a large text."""
    return select(*(bindparam(name, type_=type_).label(name) for name, type_ in _GIVEN.items())).subquery("given")


def _given_many() -> FromClause:
    arrays = [bindparam(name, type_=ARRAY(type_)) for name, type_ in _GIVEN.items()]
    columns = [column(name, type_) for name, type_ in _GIVEN.items()]
    return func.unnest(*arrays).table_valued(*columns, name="given").render_derived()


def _inserted(opened: OpenedScope, given: FromClause) -> CTE:
    chosen = [cast(given.c[name], JSONB) if name == "metadata" else given.c[name] for name in _GIVEN]
    rows = select(PROJECT_ID, PRINCIPAL, *chosen).select_from(opened.source.join(given, true())).where(opened.allowed)
    return insert(DOCUMENT).from_select(["project_id", "created_by", *_GIVEN], rows).returning(*DOCUMENT.c).cte("made")


def _first_versions(made: CTE) -> CTE:
    """None for a document whose text is yet to be read from a file."""
    rows = select(made.c.project_id, made.c.id, literal_column("1"), *(made.c[name] for name in _FIRST)).where(
        made.c.index_error.is_(None)
    )
    return insert(DOCUMENT_VERSION).from_select(["project_id", "document_id", "number", *_FIRST], rows).cte("versions")


def _written(made: CTE, answer: ColumnElement[object]) -> WriteResult:
    data = func.jsonb_strip_nulls(
        func.jsonb_build_object("title", made.c.title, "external_id", made.c.external_id, "revision", made.c.revision)
    )
    event_rows = select(
        func.jsonb_build_object(
            "type", "document.created", "subject_kind", "document", "subject_id", made.c.id, "data", data
        ).label("event_draft")
    ).order_by(made.c.id)
    return WriteResult(made, event_rows, [answer.label("body")], (_first_versions(made),))


def _create(opened: OpenedScope, *, content: bool) -> WriteResult:
    made = _inserted(opened, _given_one())
    return _written(made, select(json_bytes(json_row(document_columns(made, content=content), made))).scalar_subquery())


def _create_batch(opened: OpenedScope) -> WriteResult:
    made = _inserted(opened, _given_many())
    rows = select(*document_columns(made, content=False)).order_by(made.c.id).subquery("rows")
    return _written(made, select(json_bytes(json_rows(list(rows.c), rows))).select_from(rows).scalar_subquery())


# Ids are generated in ascending order, so sorting by id gives the order of the request.
CREATE: Final = ScopedQuery.write(partial(_create, content=True))
# Returns everything except the content, which is the last member.
CREATE_LARGE: Final = ScopedQuery.write(partial(_create, content=False))
CREATE_BATCH: Final = ScopedQuery.write(_create_batch)
