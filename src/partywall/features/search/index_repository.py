"""Search indexes, and which chunks still lack a vector in them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Select,
    Text,
    Uuid,
    and_,
    cast,
    column,
    delete,
    exists,
    func,
    literal,
    not_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert

from partywall.core.db.session import AsyncReadSession, AsyncSession
from partywall.core.tenancy import ProjectScope, SharedScope
from partywall.features.documents.index_queue import waits_for_vectors
from partywall.features.search.computed_vectors import ComputedVectors
from partywall.features.search.models import EMBEDDING, HalfVector, SearchChunk, SearchIndex, SearchStatistic


@dataclass(frozen=True, slots=True)
class KnownIndex:
    id: UUID
    model: str
    dimension: int
    status: str
    approximate: bool
    external: bool = False


@dataclass(frozen=True, slots=True)
class UnembeddedChunk:
    number: int
    document_id: UUID
    indexed: str


@dataclass(frozen=True, slots=True)
class IndexReader:
    session: AsyncReadSession
    scope: ProjectScope

    async def indexes(self) -> list[KnownIndex]:
        """Active and building indexes."""
        return [_known(row) for row in await self.session.scalars(_open_indexes(self.scope.project_id))]

    async def without_vector(self, index: KnownIndex, after: int, limit: int) -> list[UnembeddedChunk]:
        """Chunks without a vector in the index, ordered by number."""
        rows = await self.session.execute(self._lacking(index, after).limit(limit))
        return [_unembedded(*row) for row in rows]

    async def is_whole(self, index: KnownIndex) -> bool:
        """Whether every chunk has a vector, apart from documents that still wait for theirs."""
        waits = waits_for_vectors(self.scope.project_id, SearchChunk.document_id)
        return (await self.session.execute(self._lacking(index, 0).where(not_(waits)).limit(1))).first() is None

    async def without_vector_of(
        self, index: KnownIndex, documents: Collection[UUID], after: int, limit: int
    ) -> list[UnembeddedChunk]:
        """The same for these documents only."""
        mine = self._lacking_of(index, documents, after, limit)
        rows = await self.session.execute(mine.order_by(mine.selected_columns.number).limit(limit))
        return [_unembedded(*row) for row in rows]

    async def documents_without_vector(self, index: KnownIndex, documents: Collection[UUID], after: int) -> set[UUID]:
        """Which of the documents have such chunks."""
        return {row.document_id for row in await self.session.execute(self._lacking_of(index, documents, after, 1))}

    def _lacking_of(
        self, index: KnownIndex, documents: Collection[UUID], after: int, most: int
    ) -> Select[int, UUID, str, str]:
        """At most `most` chunks per document. Lateral: with poor statistics, another plan reads the whole project."""
        given = (
            func.unnest(literal(list(documents), ARRAY(Uuid)))
            .table_valued(column("id", Uuid), name="given")
            .render_derived()
        )
        mine = (
            self._lacking(index, after)
            .where(SearchChunk.document_id == given.c.id)
            .correlate(given)
            .limit(most)
            .lateral("mine")
        )
        return select(mine.c.number, mine.c.document_id, mine.c.context, mine.c.text).select_from(
            given.join(mine, true())
        )

    def _lacking(self, index: KnownIndex, after: int) -> Select[int, UUID, str, str]:
        vectors = EMBEDDING.c
        has_vector = exists().where(
            vectors.project_id == self.scope.project_id,
            vectors.index_id == index.id,
            vectors.chunk == SearchChunk.number,
        )
        return (
            select(SearchChunk.number, SearchChunk.document_id, SearchChunk.context, SearchChunk.text)
            .where(SearchChunk.project_id == self.scope.project_id, SearchChunk.number > after, not_(has_vector))
            .order_by(SearchChunk.number)
        )


@dataclass(frozen=True, slots=True)
class IndexWriter:
    session: AsyncSession
    scope: SharedScope

    async def lock_indexes(self) -> list[KnownIndex]:
        """As `IndexReader.indexes`, with a shared lock: their status cannot change before the transaction ends."""
        query = _open_indexes(self.scope.project_id).with_for_update(read=True)
        return [_known(row) for row in await self.session.scalars(query)]

    async def open(self, model: str, dimension: int, status: str, *, external: bool = False) -> UUID | None:
        """Creates an index or reopens a retired one of the same model; None if another transaction has done so.

        All vectors of an external one are handed over as they are written, so it is never moved there.
        """
        values = {
            "project_id": self.scope.project_id, "model": model, "dimension": dimension, "status": status,
            "external": external, "approximate": external,
        }  # fmt: skip
        begun = insert(SearchIndex).values(values | {"activated_at": func.now() if status == "active" else None})
        taken_up = begun.on_conflict_do_update(
            constraint="search_index_project_id_model_key",
            set_={
                "status": status,
                "external": external,
                "approximate": external,
                "activated_at": begun.excluded.activated_at,
            },
            where=SearchIndex.status == "retired",
        )
        opened: UUID | None = await self.session.scalar(taken_up.returning(SearchIndex.id))
        return opened

    async def add_vectors(self, index: KnownIndex, made: ComputedVectors, *, approximate: bool) -> None:
        """Skips chunks that have a vector or are being removed.

        Waiting for a transaction that removes chunks could deadlock: it may wait for a chunk that got a vector here.
        """
        given = (
            func.unnest(
                literal(list(made.numbers), ARRAY(BigInteger)),
                literal(list(made.vectors), ARRAY(Text)),
                literal(list(made.faults), ARRAY(Text)),
                literal(list(made.messages), ARRAY(Text)),
            )
            .table_valued("number", "vector", "fault", "message", name="given")
            .render_derived()
        )
        # As it is now: the caller may have read the index before it moved.
        external = (
            select(SearchIndex.external)
            .where(SearchIndex.project_id == self.scope.project_id, SearchIndex.id == index.id)
            .scalar_subquery()
        )
        rows = (
            select(
                SearchChunk.project_id, literal(index.id), SearchChunk.number, literal(index.dimension),
                external, and_(literal(approximate), not_(external)), cast(given.c.vector, HalfVector()),
                given.c.fault, given.c.message,
            )
            .join(given, given.c.number == SearchChunk.number)
            .where(SearchChunk.project_id == self.scope.project_id)
            .with_for_update(of=SearchChunk, read=True, key_share=True, skip_locked=True)
        )  # fmt: skip
        columns = [
            "project_id", "index_id", "chunk", "dimension", "external", "approximate", "embedding", "fault",
            "fault_message",
        ]  # fmt: skip
        await self.session.execute(insert(EMBEDDING).from_select(columns, rows).on_conflict_do_nothing())

    async def size(self) -> int:
        """Number of chunks in the project."""
        query = select(SearchStatistic.chunks).where(SearchStatistic.project_id == self.scope.project_id)
        return await self.session.scalar(query) or 0

    async def activate(self, index: KnownIndex) -> UUID | None:
        """Activates the index and retires the active one; returns the retired one's id."""
        serving = await self.session.scalar(
            update(SearchIndex)
            .where(SearchIndex.project_id == self.scope.project_id, SearchIndex.status == "active")
            .values(status="retired")
            .returning(SearchIndex.id)
        )
        await self._set(index.id, status="active", activated_at=func.now())
        return serving

    async def retire(self, index: KnownIndex) -> None:
        await self._set(index.id, status="retired")

    async def clear(self, index_id: UUID, limit: int) -> int:
        """Deletes up to `limit` vectors of the index if it is still retired; returns how many."""
        query = select(SearchIndex.id).where(
            SearchIndex.project_id == self.scope.project_id, SearchIndex.id == index_id, SearchIndex.status == "retired"
        )
        if await self.session.scalar(query.with_for_update()) is None:
            return 0
        table = EMBEDDING
        own = and_(table.c.project_id == self.scope.project_id, table.c.index_id == index_id)
        some = select(table.c.chunk).where(own).limit(limit)
        gone = await self.session.execute(delete(table).where(own, table.c.chunk.in_(some)).returning(table.c.chunk))
        return len(gone.all())

    async def lock_for_change(self) -> list[KnownIndex]:
        """As `lock_indexes`, but exclusive: waits for transactions that write chunks."""
        query = _open_indexes(self.scope.project_id).with_for_update()
        return [_known(row) for row in await self.session.scalars(query)]

    async def _set(self, index_id: UUID, **values: object) -> None:
        await self.session.execute(
            update(SearchIndex)
            .where(SearchIndex.project_id == self.scope.project_id, SearchIndex.id == index_id)
            .values(**values)
        )


def _open_indexes(project_id: UUID) -> Select[SearchIndex]:
    """Ordered by id, so that they are always locked in the same order."""
    return (
        select(SearchIndex)
        .where(SearchIndex.project_id == project_id, SearchIndex.status.in_(["active", "building"]))
        .order_by(SearchIndex.id)
        .execution_options(populate_existing=True)
    )


def _unembedded(number: int, document_id: UUID, context: str, body: str) -> UnembeddedChunk:
    return UnembeddedChunk(number, document_id, f"{context}\n{body}")


def _known(row: SearchIndex) -> KnownIndex:
    return KnownIndex(row.id, row.model, row.dimension, row.status, row.approximate, row.external)
