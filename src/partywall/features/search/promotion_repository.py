"""SQL that moves a project's vectors into the HNSW index, or to the vector server and back, while others write."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Select, not_, or_, select, update

from partywall.core.db.session import AsyncSession
from partywall.core.tenancy import SharedScope
from partywall.features.search.index_repository import KnownIndex
from partywall.features.search.models import EMBEDDING, SearchIndex


@dataclass(frozen=True, slots=True)
class VectorPromoter:
    session: AsyncSession
    scope: SharedScope

    async def turn(self, index: KnownIndex, *, external: bool) -> None:
        """From now on new vectors are handed to the vector server, or not; searches compare in PostgreSQL meanwhile."""
        await self._set(index, external=external, approximate=False)

    async def promote(self, index: KnownIndex, after: int, limit: int) -> int | None:
        """Promotes vectors of chunks after number `after`; returns the last chunk's number, None if none is left.

        Skips locked rows: waiting for them while holding others could deadlock.
        """
        some = (
            self._elsewhere(index)
            .where(EMBEDDING.c.chunk > after)
            .order_by(EMBEDDING.c.chunk)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        chunks = list(await self.session.scalars(some))
        if not chunks:
            return None
        await self.session.execute(
            update(EMBEDDING)
            .where(
                EMBEDDING.c.project_id == self.scope.project_id,
                EMBEDDING.c.index_id == index.id,
                EMBEDDING.c.chunk.in_(chunks),
            )
            .values(external=index.external, approximate=not index.external)
        )
        return chunks[-1]

    async def finish(self, index: KnownIndex) -> bool:
        """Lets searches use the index; False if a vector is missing there. Waits for transactions that write."""
        locked = select(SearchIndex.id).where(
            SearchIndex.project_id == self.scope.project_id, SearchIndex.id == index.id
        )
        await self.session.execute(locked.with_for_update())
        if await self.session.scalar(self._elsewhere(index).limit(1)) is not None:
            return False
        return await self._set(index, approximate=True)

    async def _set(self, index: KnownIndex, **values: bool) -> bool:
        done = (
            update(SearchIndex)
            .where(SearchIndex.project_id == self.scope.project_id, SearchIndex.id == index.id)
            .values(**values)
            .returning(SearchIndex.id)
        )
        return (await self.session.scalar(done)) is not None

    def _elsewhere(self, index: KnownIndex) -> Select[int]:
        vectors = EMBEDDING.c
        outside = not_(vectors.external) if index.external else or_(vectors.external, not_(vectors.approximate))
        return select(vectors.chunk).where(
            vectors.project_id == self.scope.project_id, vectors.index_id == index.id, outside
        )
