"""SQL that moves a project's vectors into the HNSW index while others write."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Select, and_, not_, select, update
from sqlalchemy.sql.elements import ColumnElement

from partywall.core.db.session import AsyncSession
from partywall.core.tenancy import SharedScope
from partywall.features.search.index_repository import KnownIndex
from partywall.features.search.models import EMBEDDING, SearchIndex


@dataclass(frozen=True, slots=True)
class VectorPromoter:
    session: AsyncSession
    scope: SharedScope

    async def promote(self, index: KnownIndex, after: int, limit: int) -> int | None:
        """Promotes vectors of chunks after number `after`; returns the last chunk's number, None if none is left.

        Skips locked rows: waiting for them while holding others could deadlock.
        """
        some = (
            _exact(self._own(index))
            .where(EMBEDDING.c.chunk > after)
            .order_by(EMBEDDING.c.chunk)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        chunks = list(await self.session.scalars(some))
        if not chunks:
            return None
        promoted = update(EMBEDDING).where(self._own(index), EMBEDDING.c.chunk.in_(chunks)).values(approximate=True)
        await self.session.execute(promoted)
        return chunks[-1]

    async def finish(self, index: KnownIndex) -> bool:
        """Lets searches use the HNSW index; False if a vector is missing there. Waits for transactions that write."""
        project_id = self.scope.project_id
        locked = select(SearchIndex.id).where(SearchIndex.project_id == project_id, SearchIndex.id == index.id)
        await self.session.execute(locked.with_for_update())
        if await self.session.scalar(_exact(self._own(index)).limit(1)) is not None:
            return False
        finished = (
            update(SearchIndex)
            .where(SearchIndex.project_id == project_id, SearchIndex.id == index.id)
            .values(approximate=True)
            .returning(SearchIndex.id)
        )
        return (await self.session.scalar(finished)) is not None

    def _own(self, index: KnownIndex) -> ColumnElement[bool]:
        return and_(EMBEDDING.c.project_id == self.scope.project_id, EMBEDDING.c.index_id == index.id)


def _exact(own: ColumnElement[bool]) -> Select[int]:
    return select(EMBEDDING.c.chunk).where(own, not_(EMBEDDING.c.approximate))
