from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import structlog

from partywall.core.db.scoped_read import ScopedReader
from partywall.core.db.session import Sessions
from partywall.core.embedding import Embedders, EmbeddingError
from partywall.core.tenancy import ProjectScope, enter_project
from partywall.features.projects.rights import Right, require
from partywall.features.search import planning, ranking
from partywall.features.search.constants import CANDIDATES, WIDER
from partywall.features.search.exceptions import SearchModelUnavailable
from partywall.features.search.highlights import spans
from partywall.features.search.ranking import Candidate, Ranked
from partywall.features.search.repository import CORPUS, Corpus, Found, SearchRepository, ServingIndex
from partywall.features.search.schemas import (
    Highlight,
    SearchGroup,
    SearchHit,
    SearchMode,
    SearchQuery,
    SearchResult,
)
from partywall.features.search.vectors import vector_text

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Answer:
    """`mode` is what was searched in the end: a hybrid search without its model is a text search."""

    result: SearchResult
    mode: SearchMode


@dataclass(frozen=True, slots=True)
class SearchService:
    """Holds no connection while a model embeds the query: the model may be far away."""

    reader: ScopedReader
    sessions: Sessions
    embedders: Embedders

    async def search(self, project_id: UUID, query: SearchQuery) -> Answer:
        scope, corpus = await self._corpus(project_id)
        if corpus.chunks == 0:
            return Answer(SearchResult(items=[]), query.mode)
        vector = await self._embed(corpus, query)
        mode = SearchMode.TEXT if vector is None else query.mode
        async with self.sessions.read() as session:
            scope = await enter_project(session, scope.principal, project_id)
            ranked = await _Search(SearchRepository(session, scope), corpus, query, mode, vector).run()
            found = await SearchRepository(session, scope).shown([hit.chunk for hit in ranked], query.q)
        return Answer(SearchResult(items=_hits(ranked, found)), mode)

    async def _corpus(self, project_id: UUID) -> tuple[ProjectScope, Corpus]:
        scope, row = await self.reader.row(CORPUS, project_id, {})
        require(scope, Right.DOCUMENT_READ)
        index = (
            None if row["id"] is None else ServingIndex(row["id"], row["model"], row["dimension"], row["approximate"])
        )
        size = (row["chunks"] or 0, row["terms"] or 0)
        return scope, Corpus(*size, row["configurations"] or [], index, purging=bool(row["purging"]))

    async def _embed(self, corpus: Corpus, query: SearchQuery) -> str | None:
        """The query's vector as PostgreSQL reads it; None where only words are searched."""
        if query.mode is SearchMode.TEXT or corpus.index is None:
            return None
        try:
            embedder = await self.embedders.named(corpus.index.model)
            if embedder is None:
                raise EmbeddingError("not available on this machine")
            return vector_text(await embedder.embed_query(query.q))
        except EmbeddingError as error:
            if query.mode is SearchMode.VECTOR:  # asked for alone, it has no substitute
                raise SearchModelUnavailable(corpus.index.model) from error
            log.warning("search_without_vectors", model=corpus.index.model, reason=str(error))
            return None


@dataclass(frozen=True, slots=True)
class _Search:
    repository: SearchRepository
    corpus: Corpus
    query: SearchQuery
    mode: SearchMode
    vector: str | None

    async def run(self) -> list[Ranked]:
        """The best chunks; looks wider where too few documents stand behind the first candidates."""
        found = await self._ranked(CANDIDATES)
        if len(found.ranked) < self.query.limit and found.cut_off:
            found = await self._ranked(CANDIDATES * WIDER)
        return found.ranked[: self.query.limit]

    async def _ranked(self, candidates: int) -> _Ranking:
        text = await self._by_text(candidates) if self.mode is not SearchMode.VECTOR else []
        vector = await self._by_vector(candidates) if self.mode is not SearchMode.TEXT else []
        ranked = (
            ranking.fuse(text, vector, depth=CANDIDATES)
            if self.mode is SearchMode.HYBRID
            else ranking.rank([*text, *vector])
        )
        if self.query.group is SearchGroup.DOCUMENT:
            ranked = ranking.best_per_document(ranked)
        return _Ranking(ranked, cut_off=candidates in {len(text), len(vector)})

    async def _by_text(self, candidates: int) -> list[Candidate]:
        return await self.repository.by_text(self.corpus, self.query.q, candidates, self.query.status)

    async def _by_vector(self, candidates: int) -> list[Candidate]:
        index = self.corpus.index
        if index is None or self.vector is None:
            return []
        approximate = index.approximate and planning.uses_index(
            self.corpus.chunks, await self.repository.indexed_rows(index)
        )
        found = await self._nearest(index, self.vector, candidates, approximate=approximate)
        if approximate and len(found) < candidates:
            # A neighbour's identical vectors are an island in the shared graph, which a walk may not leave.
            found = await self._nearest(index, self.vector, candidates, approximate=False)
        return found

    async def _nearest(
        self, index: ServingIndex, vector: str, candidates: int, *, approximate: bool
    ) -> list[Candidate]:
        return await self.repository.by_vector(
            index, vector, candidates, self.query.status, approximate=approximate, purging=self.corpus.purging
        )


@dataclass(frozen=True, slots=True)
class _Ranking:
    ranked: list[Ranked]
    cut_off: bool


def _hits(ranked: Sequence[Ranked], found: Sequence[Found]) -> list[SearchHit]:
    """In the order of the ranking; a chunk that has gone meanwhile is left out."""
    by_number = {each.number: each for each in found}
    return [_hit(by_number[hit.chunk], hit.score) for hit in ranked if hit.chunk in by_number]


def _hit(found: Found, score: float) -> SearchHit:
    return SearchHit(
        document_id=found.document_id,
        title=found.title,
        chunk_id=found.id,
        text=found.text,
        start=found.first,
        end=found.last,
        score=score,
        highlights=[Highlight(start=span.start, end=span.end) for span in spans(found.marked, found.text)],
    )
