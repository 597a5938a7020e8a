"""The statements of a search: the corpus, the nearest vectors, the chunks to show. Words are scored in `bm25.py`."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Float,
    Select,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    cast,
    column,
    exists,
    func,
    literal_column,
    select,
    table,
    text,
    union,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql.elements import ColumnElement

from partywall.core.db.scoped_query import OPENED, PROJECT_ID, ScopedQuery
from partywall.core.db.session import AsyncReadSession
from partywall.core.tenancy import ProjectScope
from partywall.features.search import bm25
from partywall.features.search.constants import EXACT_CHUNKS, Breadth
from partywall.features.search.copies import Wording
from partywall.features.search.fusion import Candidate
from partywall.features.search.models import (
    EMBEDDING,
    VECTOR_CHANGE,
    HalfVector,
    SearchChunk,
    SearchIndex,
    SearchStatistic,
    hnsw_index,
)
from partywall.features.search.terms import TERMS, QueryWords, WordList

# The columns of documents that a search reads.
_DOCUMENT: Final = table(
    "document", column("project_id", Uuid), column("id", Uuid), column("title", Text), column("status", Text)
)
_EF_SEARCH: Final = "200"

_SHOWN: Final = text("""
SELECT chunk.number, chunk.id, chunk.document_id, document.external_id, document.revision, document.title, chunk.page,
    chunk.section, chunk.first, chunk.last, chunk.text, chunk.configuration
FROM chunk
JOIN document ON document.project_id = chunk.project_id AND document.id = chunk.document_id
WHERE chunk.project_id = :project_id AND chunk.number = ANY (CAST(:numbers AS bigint[])) AND chunk.staged_for IS NULL
""")
_MATCHING: Final = """
WITH stem AS MATERIALIZED ({terms})
SELECT DISTINCT number FROM stem WHERE term IN (SELECT term FROM stem WHERE number <= :asked)
"""

_WORDINGS: Final = text("""
SELECT chunk.number,
    CASE WHEN document.size = 0 THEN CAST(document.id AS text) ELSE document.content_sha256 END, chunk.first
FROM chunk
JOIN document ON document.project_id = chunk.project_id AND document.id = chunk.document_id
WHERE chunk.project_id = :project_id AND chunk.number = ANY (CAST(:numbers AS bigint[]))
""")

_ITERATE: Final = select(
    func.set_config("hnsw.iterative_scan", "relaxed_order", True), func.set_config("hnsw.ef_search", _EF_SEARCH, True)
)
_MATCHED: Final = text(_MATCHING.format(terms=TERMS))
_INDEXED_ROWS: Final = text(
    "SELECT reltuples FROM pg_class JOIN pg_index ON indexrelid = oid WHERE oid = to_regclass(:index) AND indisvalid"
)
# The latest changes are enough: older ones are late, or too many to be compared with each search.
_UNKNOWN: Final = (
    select(VECTOR_CHANGE.c.chunk)
    .where(
        VECTOR_CHANGE.c.project_id == bindparam("project_id", type_=Uuid),
        VECTOR_CHANGE.c.index_id == bindparam("index_id", type_=Uuid),
    )
    .order_by(VECTOR_CHANGE.c.chunk.desc())
    .limit(EXACT_CHUNKS)
    .subquery("unknown")
)
# An array is looked up by key; a subquery would be joined to all vectors of the project.
_PROPOSED: Final = func.array(
    union(select(func.unnest(bindparam("only", type_=ARRAY(BigInteger)))), select(_UNKNOWN.c.chunk)).scalar_subquery(),
    type_=ARRAY(BigInteger),
)


@dataclass(frozen=True, slots=True)
class ServingIndex:
    """The active index."""

    id: UUID
    model: str
    dimension: int
    approximate: bool
    external: bool = False


@dataclass(frozen=True, slots=True)
class Corpus:
    """What is searched: numbers of chunks and terms, the text search configurations used and the active index.

    `staged`: some chunks are staged and must not be found. `purging`: some chunks may belong to deleted documents.
    """

    chunks: int
    terms: int
    configurations: list[str]
    index: ServingIndex | None
    staged: bool = False
    purging: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """A chunk to show."""

    number: int
    id: UUID
    document_id: UUID
    external_id: str | None
    revision: int
    title: str
    page: int | None
    section: str | None
    first: int
    last: int
    text: str
    configuration: str


def _corpus(allowed: ColumnElement[bool]) -> Select[*tuple[object, ...]]:
    serves = and_(
        SearchIndex.project_id == SearchStatistic.project_id, SearchIndex.status == literal_column("'active'")
    )
    staged = exists().where(SearchChunk.project_id == PROJECT_ID, SearchChunk.staged_for.is_not(None), allowed)
    return (
        select(
            SearchStatistic.chunks, SearchStatistic.terms, SearchStatistic.configurations,
            SearchIndex.id, SearchIndex.model, SearchIndex.dimension, SearchIndex.approximate, SearchIndex.external,
            staged.correlate(OPENED).label("staged"),
            func.wall.has_deleted_documents(PROJECT_ID).label("purging"),
        )
        .outerjoin(SearchIndex, serves)
        .where(SearchStatistic.project_id == PROJECT_ID, allowed)
    )  # fmt: skip


CORPUS: Final = ScopedQuery.read(_corpus)


@dataclass(frozen=True, slots=True)
class SearchRepository:
    session: AsyncReadSession
    scope: ProjectScope

    async def by_text(self, corpus: Corpus, words: QueryWords, breadth: Breadth, status: str | None) -> list[Candidate]:
        """The best chunks by BM25 that contain any word of the query, best first."""
        values: dict[str, object] = {
            "project_id": self.scope.project_id,
            **asdict(breadth),
            **words.parameters,
            **bm25.parameters(corpus.chunks, corpus.terms),
        }
        documents = status is not None or corpus.purging
        asked = bm25.STATEMENTS[documents, corpus.staged]
        rows = await self.session.execute(asked, values | {"status": status} if documents else values)
        found = [Candidate(*row) for row in rows]
        return sorted(found, key=lambda candidate: (-candidate.score, candidate.chunk))

    async def by_vector(
        self,
        index: ServingIndex,
        vector: str,
        breadth: Breadth,
        status: str | None,
        *,
        approximate: bool,
        only: Sequence[int] | None = None,
        staged: bool = False,
        purging: bool = False,
    ) -> list[Candidate]:
        """The nearest chunks by cosine similarity, best first: exact, or through the HNSW index if `approximate`.

        With `only`, of these chunks and of those that the vector server does not know yet.
        """
        if approximate:
            await self.session.execute(_ITERATE)
        query = _nearest(
            index.dimension,
            documents=purging or status is not None,
            status=status is not None,
            approximate=approximate,
            only=only is not None,
            staged=staged,
        )
        values = {
            "project_id": self.scope.project_id,
            "index_id": index.id,
            "vector": vector,
            **asdict(breadth),
            "status": status,
            **({} if only is None else {"only": list(only)}),
        }
        rows = await self.session.execute(query, values)
        found = [Candidate(chunk, document_id, 1 - distance) for chunk, document_id, distance in rows]
        near = (candidate for candidate in found if math.isfinite(candidate.score))
        return sorted(near, key=lambda candidate: (-candidate.score, candidate.chunk))

    async def indexed_rows(self, index: ServingIndex) -> float | None:
        """Estimated number of vectors in the HNSW index, of all projects; None if their dimension has no index."""
        rows = await self.session.scalar(_INDEXED_ROWS, {"index": hnsw_index(index.dimension)})
        return None if rows is None else max(0.0, float(rows))

    async def wordings(self, numbers: Sequence[int]) -> dict[int, Wording]:
        """What the chunks' documents say; a document without any text has a wording of its own."""
        rows = await self.session.execute(_WORDINGS, {"project_id": self.scope.project_id, "numbers": list(numbers)})
        return {number: Wording(content, first) for number, content, first in rows}

    async def shown(self, numbers: Sequence[int]) -> list[Found]:
        """The chunks with their documents' titles, unordered."""
        values = {"project_id": self.scope.project_id, "numbers": list(numbers)}
        return [Found(*row) for row in await self.session.execute(_SHOWN, values)]

    async def matching(self, words: WordList, asked: int) -> set[int]:
        """The numbers of the words that have a term in common with the first `asked`."""
        rows = await self.session.execute(_MATCHED, {**words.parameters, "asked": asked})
        return {number for (number,) in rows}


@functools.lru_cache(maxsize=256)
def _nearest(
    dimension: int, *, documents: bool, status: bool, approximate: bool, only: bool, staged: bool
) -> Select[int, UUID, float]:
    vectors = EMBEDDING.c
    # A subquery is evaluated once; a plain cast would parse the parameter again for every row.
    asked = select(cast(bindparam("vector", type_=Text), HalfVector(dimension))).scalar_subquery()
    # The index is on the vector with its dimension; an exact scan needs no cast.
    compared = cast(vectors.embedding, HalfVector(dimension)) if approximate else vectors.embedding
    distance = compared.op("<=>", return_type=Float())(asked).label("distance")
    nearest = select(vectors.chunk, distance).where(
        vectors.project_id == bindparam("project_id", type_=Uuid),
        vectors.index_id == bindparam("index_id", type_=Uuid),
    )
    if approximate:
        nearest = nearest.where(vectors.dimension == literal_column(str(dimension)), vectors.approximate)
    if only:
        nearest = nearest.where(vectors.chunk == any_(_PROPOSED))
    if staged:
        hidden = select(SearchChunk.number).where(
            SearchChunk.project_id == bindparam("project_id", type_=Uuid), SearchChunk.staged_for.is_not(None)
        )
        nearest = nearest.where(vectors.chunk.not_in(hidden))
    if documents:
        nearest = nearest.join(
            SearchChunk, and_(SearchChunk.project_id == vectors.project_id, SearchChunk.number == vectors.chunk)
        ).join(
            _DOCUMENT,
            and_(
                _DOCUMENT.c.project_id == SearchChunk.project_id,
                _DOCUMENT.c.id == SearchChunk.document_id,
                *([_DOCUMENT.c.status == bindparam("status", type_=Text)] if status else []),
            ),
        )
    best = nearest.order_by(distance).limit(bindparam("looked_at")).subquery("best")
    its_chunk = and_(SearchChunk.project_id == bindparam("project_id", type_=Uuid), SearchChunk.number == best.c.chunk)
    # A large document must not fill the candidates alone.
    place = func.row_number().over(partition_by=SearchChunk.document_id, order_by=best.c.distance).label("place")
    placed = select(best, SearchChunk.document_id, place).join(SearchChunk, its_chunk).subquery("placed")
    return (
        select(placed.c.chunk, placed.c.document_id, placed.c.distance)
        .where(placed.c.place <= bindparam("of_document"))
        .order_by(placed.c.distance)
        .limit(bindparam("candidates"))
    )
