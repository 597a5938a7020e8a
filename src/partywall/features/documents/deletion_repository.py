"""The deletions by filter of a project, and the documents that they find."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, Uuid, and_, bindparam, delete, func, insert, literal, select, update

from partywall.core.db.json_rows import json_bytes, json_row, json_rows
from partywall.core.db.scoped_query import OPENED, PROJECT_ID, ScopedQuery
from partywall.core.db.session import AsyncSession
from partywall.core.schemas import JsonObject
from partywall.core.tenancy import SharedScope
from partywall.features.documents.columns import document_columns, instant
from partywall.features.documents.filters.matches import Matching, few_ids
from partywall.features.documents.filters.tree import Filter
from partywall.features.documents.models import DOCUMENT, DOCUMENT_DELETION

KEPT_FOR: Final = timedelta(days=30)
SAMPLED: Final = 20
_DELETION: Final = DOCUMENT_DELETION.c


@dataclass(frozen=True, slots=True)
class DeletionWriter:
    session: AsyncSession
    scope: SharedScope

    async def add(self, given: JsonObject) -> UUID:
        """Also removes those that ended long ago."""
        ended = _DELETION.finished_at < func.now() - KEPT_FOR
        await self.session.execute(delete(DOCUMENT_DELETION).where(self._mine, ended))
        row = {"project_id": self.scope.project_id, "filter": given, "created_by": str(self.scope.principal)}
        made: UUID = (
            await self.session.execute(insert(DOCUMENT_DELETION).values(row).returning(_DELETION.id))
        ).scalar_one()
        return made

    async def unfinished(self) -> int:
        query = select(func.count()).select_from(DOCUMENT_DELETION).where(self._mine, _DELETION.finished_at.is_(None))
        return await self.session.scalar(query) or 0

    async def lock(self, id_: UUID) -> Row[JsonObject, datetime, UUID | None] | None:
        """Its filter, when it began, and the last document that it looked at; None if it has ended."""
        query = select(_DELETION.filter, _DELETION.created_at, _DELETION.last_document).where(
            self._mine, _DELETION.id == id_, _DELETION.finished_at.is_(None)
        )
        return (await self.session.execute(query.with_for_update())).one_or_none()

    async def matching(self, tree: Filter, before: datetime, after: UUID | None, most: int) -> list[UUID]:
        """The next documents that match, in the order of their ids, without those that were created later."""
        query = select(DOCUMENT.c.id).where(
            DOCUMENT.c.project_id == self.scope.project_id,
            DOCUMENT.c.created_at <= before,
            Matching(tree, await self._few(tree)).condition,
        )
        if after is not None:
            query = query.where(DOCUMENT.c.id > after)
        return list(await self.session.scalars(query.order_by(DOCUMENT.c.id).limit(most)))

    async def _few(self, tree: Filter) -> tuple[UUID, ...] | None:
        query = few_ids(tree, literal(self.scope.project_id, Uuid))
        found = None if query is None else await self.session.scalar(query)
        return None if found is None else tuple(found)

    async def advance(self, id_: UUID, last: UUID, deleted: int) -> None:
        await self._update(_DELETION.id == id_, last_document=last, deleted=_DELETION.deleted + deleted)

    async def finish(self, id_: UUID) -> None:
        await self._update(_DELETION.id == id_, finished_at=func.now())

    async def fail(self, id_: UUID, created_by: str, error: str) -> None:
        """Nothing happens to the deletion of another principal."""
        own = and_(_DELETION.id == id_, _DELETION.created_by == created_by, _DELETION.finished_at.is_(None))
        await self._update(own, finished_at=func.now(), error=error)

    async def _update(self, which: ColumnElement[bool], **values: object) -> None:
        await self.session.execute(update(DOCUMENT_DELETION).where(self._mine, which).values(**values))

    @property
    def _mine(self) -> ColumnElement[bool]:
        return _DELETION.project_id == self.scope.project_id


def _deletion(allowed: ColumnElement[bool]) -> Select[*tuple[object, ...]]:
    instants = (instant(DOCUMENT_DELETION, name) for name in ("created_at", "finished_at"))
    columns = [_DELETION.id, _DELETION.deleted, _DELETION.error, *instants]
    return select(json_bytes(json_row(columns, DOCUMENT_DELETION)).label("body")).where(
        _DELETION.project_id == PROJECT_ID, _DELETION.id == bindparam("deletion_id", type_=Uuid), allowed
    )


DELETION: Final = ScopedQuery.read(_deletion)


def preview(matching: Matching) -> ScopedQuery:
    """How many documents match, and the oldest of them."""

    def found(allowed: ColumnElement[bool]) -> Select[*tuple[object, ...]]:
        matched = (DOCUMENT.c.project_id == PROJECT_ID, allowed, matching.condition)
        total = select(func.count()).select_from(DOCUMENT).where(*matched).correlate(OPENED).scalar_subquery()
        oldest = (
            select(*document_columns(DOCUMENT, content=False))
            .where(*matched)
            .order_by(DOCUMENT.c.id)
            .limit(SAMPLED)
            .correlate(OPENED)
            .lateral("oldest")
        )
        items = select(json_bytes(json_rows(list(oldest.c), oldest))).select_from(oldest).scalar_subquery()
        return select(total.label("matching"), items.label("items")).where(allowed)

    return ScopedQuery.read(found)
