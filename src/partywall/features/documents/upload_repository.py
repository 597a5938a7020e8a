"""What an upload asks before its file is read: quotas, and the document that it replaces."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    Text,
    Uuid,
    bindparam,
    column,
    func,
    literal_column,
    select,
    table,
)

from partywall.core.db.scoped_query import OPENED, PROJECT_ID, ScopedQuery
from partywall.features.documents.models import DOCUMENT, DOCUMENT_VERSION

type Found = Select[*tuple[object, ...]]
type Proof = ColumnElement[bool]

_REPLACED: Final = (
    "id", "revision", "index_status", "media_type", "original_name", "original_size", "source_sha256",
)  # fmt: skip


def _room(allowed: Proof) -> Found:
    """Usage and limits of the quotas that a new document counts against."""
    used = table("project_usage", column("project_id", Uuid), column("documents", Integer), column("bytes", Integer))
    names = ("documents", "bytes")
    return select(
        *(func.coalesce(func.sum(used.c[name]), literal_column("0")).label(name) for name in names),
        *(func.wall.quota_of(PROJECT_ID, literal_column(f"'{name}'", Text)).label(f"most_{name}") for name in names),
    ).where(used.c.project_id == PROJECT_ID, allowed)


def _replaced(allowed: Proof) -> Found:
    """The document with an external id; `largest` is the size of its largest text."""
    versions = DOCUMENT_VERSION.c
    largest = (
        select(func.max(versions.size))
        .where(versions.project_id == PROJECT_ID, versions.document_id == DOCUMENT.c.id)
        .correlate(DOCUMENT, OPENED)
        .scalar_subquery()
    )
    given = bindparam("external_id", type_=Text)
    return select(*(DOCUMENT.c[name] for name in _REPLACED), largest.label("largest")).where(
        DOCUMENT.c.project_id == PROJECT_ID, DOCUMENT.c.external_id == given, allowed
    )


ROOM: Final = ScopedQuery.read(_room)
REPLACED: Final = ScopedQuery.read(_replaced)
