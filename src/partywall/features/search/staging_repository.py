"""Staged chunks of a large document: written in batches, searchable all at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, case, delete, null, or_, select, update

from partywall.core.db.session import AsyncReadSession, AsyncSession
from partywall.core.tenancy import ProjectScope, SharedScope
from partywall.features.search.models import SearchChunk

# `staged_for` of formerly searchable chunks that are to be removed.
FORMER: Final = 0


@dataclass(frozen=True, slots=True)
class StagedReader:
    session: AsyncReadSession
    scope: ProjectScope

    async def places(self, document_id: UUID, version: int) -> list[tuple[int, int, str, str]]:
        """`NewChunk.place` of the chunks staged for the version, ordered by number."""
        query = (
            select(SearchChunk.first, SearchChunk.last, SearchChunk.configuration, SearchChunk.context)
            .where(
                SearchChunk.project_id == self.scope.project_id,
                SearchChunk.document_id == document_id,
                SearchChunk.staged_for == version,
            )
            .order_by(SearchChunk.number)
        )
        return [(*row,) for row in await self.session.execute(query)]


@dataclass(frozen=True, slots=True)
class StagedWriter:
    session: AsyncSession
    scope: SharedScope

    async def switch(self, document_id: UUID, version: int) -> None:
        """Makes the version's chunks searchable and the former ones not, in one statement."""
        found = SearchChunk.staged_for.is_(None)
        await self.session.execute(
            update(SearchChunk)
            .where(
                SearchChunk.project_id == self.scope.project_id,
                SearchChunk.document_id == document_id,
                or_(found, SearchChunk.staged_for == version),
            )
            .values(staged_for=case((found, FORMER), else_=null()))
            .execution_options(synchronize_session=False)
        )

    async def sweep(self, document_id: UUID, keep: int | None, limit: int) -> int:
        """Removes up to `limit` unsearchable chunks, except those staged for the version `keep`."""
        staged = SearchChunk.staged_for
        return await self._remove(document_id, staged.is_not(None) if keep is None else staged != keep, limit)

    async def remove(self, document_id: UUID, staged_for: int, limit: int) -> int:
        """Removes up to `limit` chunks with this `staged_for`."""
        return await self._remove(document_id, SearchChunk.staged_for == staged_for, limit)

    async def _remove(self, document_id: UUID, chosen: ColumnElement[bool], limit: int) -> int:
        some = (
            select(SearchChunk.number)
            .where(SearchChunk.project_id == self.scope.project_id, SearchChunk.document_id == document_id, chosen)
            .limit(limit)
        )
        gone = (
            delete(SearchChunk)
            .where(SearchChunk.project_id == self.scope.project_id, SearchChunk.number.in_(some))
            .returning(SearchChunk.number)
        )
        return len((await self.session.execute(gone, execution_options={"synchronize_session": False})).all())
