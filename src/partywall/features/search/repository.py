"""The statements of a search: the corpus, the candidates (see `bm25.py` and `nearest.py`), and the chunks to show."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import Executable, Row, Select, and_, exists, func, literal_column, select, text
from sqlalchemy.sql.elements import ColumnElement

from partywall.core.db.scoped_query import OPENED, PROJECT_ID, ScopedQuery
from partywall.core.db.session import AsyncReadSession
from partywall.core.tenancy import ProjectScope
from partywall.features.documents.filters.tree import Filter
from partywall.features.search import bm25, nearest
from partywall.features.search.fusion import Candidate
from partywall.features.search.highlights import CLOSE, OPEN
from partywall.features.search.kept_passages import CHECKED_FIRST, Kept, numbers_of
from partywall.features.search.models import SearchChunk, SearchIndex, SearchStatistic

_MARKS: Final = f'HighlightAll=true,StartSel="{OPEN}",StopSel="{CLOSE}"'
_EF_SEARCH: Final = "200"

# Parses the query once per configuration, not per chunk.
_SHOWN: Final = text("""
WITH asked AS MATERIALIZED (
    SELECT configuration, plainto_tsquery(CAST(configuration AS regconfig), :query) AS words
    FROM (
        SELECT DISTINCT configuration FROM chunk
        WHERE project_id = :project_id AND number = ANY (CAST(:numbers AS bigint[]))
    ) AS used
)
SELECT chunk.number, chunk.id, chunk.document_id, document.external_id, document.revision, document.title, chunk.page,
    chunk.section, chunk.first, chunk.last, chunk.text,
    ts_headline(
        CAST(chunk.configuration AS regconfig), chunk.text,
        (SELECT words FROM asked WHERE asked.configuration = chunk.configuration),
        CAST(:marks AS text)
    )
FROM chunk
JOIN document ON document.project_id = chunk.project_id AND document.id = chunk.document_id
WHERE chunk.project_id = :project_id AND chunk.number = ANY (CAST(:numbers AS bigint[])) AND chunk.staged_for IS NULL
""")

_ITERATE: Final = select(
    func.set_config("hnsw.iterative_scan", "relaxed_order", True), func.set_config("hnsw.ef_search", _EF_SEARCH, True)
)
_INDEXED_ROWS: Final = text("SELECT reltuples FROM pg_class WHERE oid = to_regclass(:index)")


@dataclass(frozen=True, slots=True)
class ServingIndex:
    """The active index."""

    id: UUID
    model: str
    dimension: int
    approximate: bool


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
    """A chunk to show; `marked` is its text with the query's words between OPEN and CLOSE."""

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
    marked: str


def _corpus(allowed: ColumnElement[bool]) -> Select[*tuple[object, ...]]:
    serves = and_(
        SearchIndex.project_id == SearchStatistic.project_id, SearchIndex.status == literal_column("'active'")
    )
    staged = exists().where(SearchChunk.project_id == PROJECT_ID, SearchChunk.staged_for.is_not(None), allowed)
    return (
        select(
            SearchStatistic.chunks, SearchStatistic.terms, SearchStatistic.configurations,
            SearchIndex.id, SearchIndex.model, SearchIndex.dimension, SearchIndex.approximate,
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

    async def numbers(self, tree: Filter) -> list[int] | None:
        """The passages that a filter keeps; None if they are many."""
        return await self.session.scalar(numbers_of(tree), self._project)

    async def by_text(self, corpus: Corpus, query: str, candidates: int, kept: Kept | None) -> list[Candidate]:
        """The best chunks by BM25 that contain any word of the query, best first."""
        values: dict[str, object] = {
            **self._project,
            "configurations": corpus.configurations,
            "query": query,
            "candidates": candidates,
            **bm25.parameters(corpus.chunks, corpus.terms),
        }
        if kept is None:
            rows = await self._candidates(bm25.best(staged=corpus.staged), values)
        elif kept.numbers is not None:
            rows = await self._candidates(bm25.best(kept=True), {**values, "kept": list(kept.numbers)})
        else:
            rows = await self._candidates(bm25.best_of_matching(kept.tree, staged=corpus.staged), values)
        found = [Candidate(chunk, document_id, score) for chunk, document_id, score in rows]
        return sorted(found, key=lambda candidate: (-candidate.score, candidate.chunk))

    async def by_vector(
        self,
        index: ServingIndex,
        vector: str,
        candidates: int,
        kept: Kept | None,
        *,
        approximate: bool,
        staged: bool = False,
    ) -> list[Candidate]:
        """The nearest chunks by cosine similarity, best first: exact, or through the HNSW index if `approximate`."""
        if approximate:
            await self.session.execute(_ITERATE)
        values = {**self._project, "index_id": index.id, "vector": vector, "candidates": candidates}
        near = nearest.vectors(index.dimension, approximate=approximate, staged=staged)
        if kept is None:
            rows = await self._candidates(nearest.best(near), values)
        elif kept.numbers is not None:
            rows = await self._candidates(nearest.best_of(near), {**values, "kept": list(kept.numbers)})
        elif approximate:
            rows = await self._candidates(nearest.best_in_index(near, kept.tree), values)
        else:
            rows = await self._checked(nearest.best_of_matching(near, kept.tree), values, candidates)
        found = [Candidate(chunk, document_id, 1 - distance) for chunk, document_id, distance in rows]
        finite = (candidate for candidate in found if math.isfinite(candidate.score))
        return sorted(finite, key=lambda candidate: (-candidate.score, candidate.chunk))

    async def _checked(
        self, query: Select[int, UUID, float], values: Mapping[str, object], candidates: int
    ) -> Sequence[Row[int, UUID, float]]:
        """Checks the documents of the first ones, which costs no sort of all, and of all if these are not enough."""
        rows = await self._candidates(query, {**values, "among": candidates * CHECKED_FIRST})
        return rows if len(rows) == candidates else await self._candidates(query, {**values, "among": None})

    async def _candidates(self, query: Executable, values: Mapping[str, object]) -> Sequence[Row[int, UUID, float]]:
        return (await self.session.execute(query, values)).all()

    @property
    def _project(self) -> dict[str, object]:
        return {"project_id": self.scope.project_id}

    async def indexed_rows(self, index: ServingIndex) -> float:
        """Estimated number of vectors in the HNSW index, of all projects."""
        rows = await self.session.scalar(_INDEXED_ROWS, {"index": f"embedding_{index.dimension}_embedding_idx"})
        return max(0.0, float(rows or 0))

    async def shown(self, numbers: Sequence[int], query: str) -> list[Found]:
        """The chunks with their documents' titles, unordered."""
        values = {"project_id": self.scope.project_id, "numbers": list(numbers), "query": query, "marks": _MARKS}
        return [Found(*row) for row in await self.session.execute(_SHOWN, values)]
