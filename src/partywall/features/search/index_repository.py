from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import BigInteger, Select, Text, and_, cast, delete, exists, func, literal, not_, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY, insert

from partywall.core.db.session import AsyncReadSession, AsyncSession
from partywall.core.tenancy import ProjectScope
from partywall.features.search.constants import LONGEST_TERM, visible
from partywall.features.search.exceptions import IndexesChanged
from partywall.features.search.models import EMBEDDINGS, HalfVector, SearchChunk, SearchIndex, SearchStatistic

_ADDING: Final = """
WITH serving AS MATERIALIZED (
    SELECT id, approximate FROM search_index
    WHERE project_id = :project_id AND status IN ('active', 'building') ORDER BY id FOR SHARE
), given AS MATERIALIZED (
    SELECT document_id, first, last, configuration, context, body, vector,
        to_tsvector(CAST(configuration AS regconfig), {words}) AS words
    FROM unnest(
        CAST(:document_ids AS uuid[]), CAST(:firsts AS integer[]), CAST(:lasts AS integer[]),
        CAST(:configurations AS text[]), CAST(:contexts AS text[]), CAST(:texts AS text[]), CAST(:vectors AS text[])
    ) AS given (document_id, first, last, configuration, context, body, vector)
), made AS (
    INSERT INTO chunk (project_id, document_id, first, last, length, configuration, context, text, staged_for)
    SELECT :project_id, document_id, first, last,
        (SELECT coalesce(sum(cardinality(positions)), 0) FROM unnest(words)), configuration, context, body,
        CAST(:staged_for AS integer)
    FROM given
    RETURNING number, document_id, first, length
), posted AS (
    INSERT INTO posting (project_id, chunk, frequency, length, term)
    SELECT :project_id, made.number, cardinality(word.positions), least(made.length, 32767), word.lexeme
    FROM made JOIN given ON given.document_id = made.document_id AND given.first = made.first
        CROSS JOIN unnest(given.words) AS word
    WHERE octet_length(word.lexeme) <= :longest_term
    ORDER BY word.lexeme COLLATE "C"
){embedded}
SELECT made.number, made.document_id, made.first, ARRAY(SELECT id FROM serving) AS serving FROM made
"""
_EMBEDDED: Final = """, embedded AS (
    INSERT INTO embedding_{dimension} (project_id, index_id, chunk, approximate, embedding)
    SELECT :project_id, serving.id, made.number, serving.approximate OR CAST(:large AS boolean),
        CAST(vector AS halfvec({dimension}))
    FROM made JOIN given ON given.document_id = made.document_id AND given.first = made.first
        JOIN serving ON serving.id = CAST(:index_id AS uuid)
)"""
_WORDS: Final = visible("context || E'\\n' || body")
_ADD: Final = text(_ADDING.format(words=_WORDS, embedded=""))
_ADD_EMBEDDED: Final = {
    dimension: text(_ADDING.format(words=_WORDS, embedded=_EMBEDDED.format(dimension=dimension)))
    for dimension in EMBEDDINGS
}

_REMEMBER: Final = text("""
UPDATE search_statistic
SET configurations = ARRAY(SELECT DISTINCT unnest(configurations || CAST(:used AS text[])) ORDER BY 1)
WHERE project_id = :project_id AND NOT configurations @> CAST(:used AS text[])
""")


@dataclass(frozen=True, slots=True)
class KnownIndex:
    id: UUID
    model: str
    dimension: int
    status: str
    approximate: bool


@dataclass(frozen=True, slots=True)
class NewChunk:
    """A passage of a document, `content[first:last]`, and what is indexed before its text."""

    document_id: UUID
    first: int
    last: int
    configuration: str
    context: str
    text: str

    @property
    def place(self) -> tuple[int, int, str, str]:
        """What tells it from others of the same text."""
        return self.first, self.last, self.configuration, self.context

    @property
    def indexed(self) -> str:
        return f"{self.context}\n{self.text}"


@dataclass(frozen=True, slots=True)
class UnembeddedChunk:
    number: int
    document_id: UUID
    indexed: str


@dataclass(frozen=True, slots=True)
class IndexVectors:
    """One for each of the chunks to write, in PostgreSQL's own notation."""

    index: KnownIndex
    vectors: Sequence[str]


@dataclass(frozen=True, slots=True)
class IndexReader:
    session: AsyncReadSession
    scope: ProjectScope

    async def indexes(self) -> list[KnownIndex]:
        """Those that serve or are being built."""
        return [_known(row) for row in await self.session.scalars(_open_indexes(self.scope.project_id))]

    async def without_vector(
        self, index: KnownIndex, after: int, limit: int, documents: Collection[UUID] | None = None
    ) -> list[UnembeddedChunk]:
        """Chunks that the index lacks, in the order of their numbers: of the project, or of those documents."""
        vectors = EMBEDDINGS[index.dimension].c
        has_vector = exists().where(
            vectors.project_id == self.scope.project_id,
            vectors.index_id == index.id,
            vectors.chunk == SearchChunk.number,
        )
        lacking = select(SearchChunk.number, SearchChunk.document_id, SearchChunk.context, SearchChunk.text).where(
            SearchChunk.project_id == self.scope.project_id, SearchChunk.number > after, not_(has_vector)
        )
        if documents is not None:
            lacking = lacking.where(SearchChunk.document_id.in_(documents), SearchChunk.staged_for.is_(None))
        rows = await self.session.execute(lacking.order_by(SearchChunk.number).limit(limit))
        return [UnembeddedChunk(number, id_, f"{context}\n{body}") for number, id_, context, body in rows]


@dataclass(frozen=True, slots=True)
class IndexWriter:
    session: AsyncSession
    scope: ProjectScope

    async def lock_indexes(self) -> list[KnownIndex]:
        """The same as IndexReader's; none of them begins or ceases to serve before this transaction ends."""
        query = _open_indexes(self.scope.project_id).with_for_update(read=True)
        return [_known(row) for row in await self.session.scalars(query)]

    async def open(self, model: str, dimension: int, status: str) -> UUID | None:
        """Begins an index, or takes up a retired one of the same model; None where another was quicker."""
        values = {"project_id": self.scope.project_id, "model": model, "dimension": dimension, "status": status}
        begun = insert(SearchIndex).values(values | {"activated_at": func.now() if status == "active" else None})
        taken_up = begun.on_conflict_do_update(
            constraint="search_index_project_id_model_key",
            set_={"status": status, "approximate": False, "activated_at": begun.excluded.activated_at},
            where=SearchIndex.status == "retired",
        )
        opened: UUID | None = await self.session.scalar(taken_up.returning(SearchIndex.id))
        return opened

    async def remove(self, document_ids: Sequence[UUID]) -> None:
        await self.session.execute(
            delete(SearchChunk).where(
                SearchChunk.project_id == self.scope.project_id, SearchChunk.document_id.in_(document_ids)
            )
        )

    async def add(
        self,
        chunks: Sequence[NewChunk],
        embedded: IndexVectors | None,
        expected: Collection[UUID],
        *,
        large: bool,
        staged_for: int | None = None,
    ) -> list[int]:
        """Stores chunks, their postings and their vectors in one index; answers their numbers in the order given.

        Those that are staged for a version of their document cannot be found before that is switched to. None of the
        indexes begins or ceases to serve from now on; raises IndexesChanged where those that do are not the expected.
        """
        values = {
            "project_id": self.scope.project_id,
            "document_ids": [chunk.document_id for chunk in chunks],
            "firsts": [chunk.first for chunk in chunks],
            "lasts": [chunk.last for chunk in chunks],
            "configurations": [chunk.configuration for chunk in chunks],
            "contexts": [chunk.context for chunk in chunks],
            "texts": [chunk.text for chunk in chunks],
            "vectors": [] if embedded is None else embedded.vectors,
            "longest_term": LONGEST_TERM,
            "staged_for": staged_for,
        }
        statement = _ADD
        if embedded is not None:
            statement, values = _ADD_EMBEDDED[embedded.index.dimension], {
                **values, "index_id": embedded.index.id, "large": large,
            }  # fmt: skip
        rows = (await self.session.execute(statement, values)).all()
        if any(set(row.serving) != set(expected) for row in rows[:1]):
            raise IndexesChanged
        numbers = {(row.document_id, row.first): row.number for row in rows}
        return [numbers[chunk.document_id, chunk.first] for chunk in chunks]

    async def add_vectors(
        self, index: KnownIndex, numbers: Sequence[int], vectors: Sequence[str], *, approximate: bool
    ) -> None:
        """Vectors in PostgreSQL's own notation; a chunk that has one, or is being removed, is passed over.

        Waiting for who removes chunks would be a deadlock where they wait for a chunk whose vector was just added.
        """
        table = EMBEDDINGS[index.dimension]
        given = (
            func.unnest(literal(list(numbers), ARRAY(BigInteger)), literal(list(vectors), ARRAY(Text)))
            .table_valued("number", "vector", name="given")
            .render_derived()
        )
        rows = (
            select(
                SearchChunk.project_id, literal(index.id), SearchChunk.number, literal(approximate),
                cast(given.c.vector, HalfVector(index.dimension)),
            )
            .join(given, given.c.number == SearchChunk.number)
            .where(SearchChunk.project_id == self.scope.project_id)
            .with_for_update(of=SearchChunk, read=True, key_share=True, skip_locked=True)
        )  # fmt: skip
        columns = ["project_id", "index_id", "chunk", "approximate", "embedding"]
        await self.session.execute(insert(table).from_select(columns, rows).on_conflict_do_nothing())

    async def remember(self, configurations: Iterable[str]) -> None:
        """Notes which configurations the project's chunks use."""
        values = {"project_id": self.scope.project_id, "used": sorted(set(configurations))}
        await self.session.execute(_REMEMBER, values)

    async def size(self) -> int:
        """How many chunks the project has."""
        query = select(SearchStatistic.chunks).where(SearchStatistic.project_id == self.scope.project_id)
        return await self.session.scalar(query) or 0

    async def activate(self, index: KnownIndex) -> UUID | None:
        """Lets the index serve and retires the one that did; answers the retired one's id."""
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
        """Deletes vectors of an index that is still retired; answers how many."""
        query = select(SearchIndex.dimension).where(
            SearchIndex.project_id == self.scope.project_id, SearchIndex.id == index_id, SearchIndex.status == "retired"
        )
        dimension = await self.session.scalar(query.with_for_update())
        if dimension is None:
            return 0
        table = EMBEDDINGS[dimension]
        own = and_(table.c.project_id == self.scope.project_id, table.c.index_id == index_id)
        some = select(table.c.chunk).where(own).limit(limit)
        gone = await self.session.execute(delete(table).where(own, table.c.chunk.in_(some)).returning(table.c.chunk))
        return len(gone.all())

    async def lock_for_change(self) -> list[KnownIndex]:
        """As `lock_indexes`, and waits until nobody writes chunks."""
        query = _open_indexes(self.scope.project_id).with_for_update()
        return [_known(row) for row in await self.session.scalars(query)]

    async def _set(self, index_id: UUID, **values: object) -> None:
        await self.session.execute(
            update(SearchIndex)
            .where(SearchIndex.project_id == self.scope.project_id, SearchIndex.id == index_id)
            .values(**values)
        )


def _open_indexes(project_id: UUID) -> Select[SearchIndex]:
    """Always in the same order, in which they are locked too."""
    return (
        select(SearchIndex)
        .where(SearchIndex.project_id == project_id, SearchIndex.status.in_(["active", "building"]))
        .order_by(SearchIndex.id)
        .execution_options(populate_existing=True)
    )


def _known(row: SearchIndex) -> KnownIndex:
    return KnownIndex(row.id, row.model, row.dimension, row.status, row.approximate)
