"""The trash of a project. Row-level security hides it from all other queries; functions of the database open it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Final
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Integer,
    Interval,
    Row,
    Select,
    Text,
    Uuid,
    bindparam,
    column,
    func,
    null,
    select,
)

from partywall.core.db.scoped_query import OPENED, ScopedQuery
from partywall.core.db.session import AsyncSession
from partywall.core.tenancy import SharedScope
from partywall.features.documents.columns import instant, principal_id
from partywall.features.documents.pages import whole_page

_ID: Final = bindparam("document", type_=Uuid)
_DELETE: Final = select(func.wall.delete_document(_ID, bindparam("kept_for", type_=Interval)))
_RESTORE: Final = select(func.wall.restore_document(_ID))
_PURGE: Final = select(func.wall.purge_trashed(_ID))
_COLUMNS: Final = ("revision", "title", "external_id", "original_key", "media_type")
_LOCKED: Final = func.wall.lock_trashed(_ID).table_valued(*_COLUMNS, name="locked")
_LOCK: Final = select(*(_LOCKED.c[name] for name in _COLUMNS))
_INSTANTS: Final = ("created_at", "deleted_at", "purge_at")


@dataclass(frozen=True, slots=True)
class TrashWriter:
    session: AsyncSession
    scope: SharedScope

    async def lock(self, id_: UUID) -> Row[int, str, str | None, str | None, str] | None:
        """Lock a document in the trash; return its revision, title, external id, blob key and media type."""
        return (await self.session.execute(_LOCK, {"document": id_})).one_or_none()

    async def delete(self, id_: UUID, kept_for: timedelta) -> None:
        """Move the document to the trash, or mark it as deleted for good. It is invisible at once."""
        await self.session.execute(_DELETE, {"document": id_, "kept_for": kept_for})

    async def purge(self, id_: UUID) -> None:
        """Mark a document in the trash as deleted for good."""
        await self.session.execute(_PURGE, {"document": id_})

    async def restore(self, id_: UUID) -> int:
        """Return the new revision."""
        revision: int = (await self.session.execute(_RESTORE, {"document": id_})).scalar_one()
        return revision


@cache
def trash_page(counts: bool) -> ScopedQuery:
    """The last deleted first."""

    def page(allowed: ColumnElement[bool]) -> Select[*tuple[object, ...]]:
        texts = [column(name, Text) for name in ("external_id", "title", "media_type", "created_by")]
        instants = [column(name, DateTime(timezone=True)) for name in _INSTANTS]
        found = func.wall.trash(
            bindparam("after_value", type_=DateTime(timezone=True)), bindparam("after_id", type_=Uuid),
            bindparam("one_more", type_=Integer), bindparam("offset", type_=Integer),
        ).table_valued(column("id", Uuid), *texts, column("size", Integer), *instants, name="found")  # fmt: skip
        plain = [found.c[name] for name in ("id", "external_id", "title", "media_type", "size")]
        shown = (*plain, principal_id(found), *(instant(found, name) for name in _INSTANTS))
        rows = select(*shown).select_from(found).where(allowed).correlate(OPENED).lateral("chosen")
        total = select(func.wall.trash_total()).where(allowed).correlate(OPENED).scalar_subquery()
        return whole_page(rows, "deleted_at", "id", total if counts else null())

    return ScopedQuery.read(page)
