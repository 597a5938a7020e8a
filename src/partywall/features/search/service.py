"""Answers a search: both halves, their fusion, and the passages to show."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Self
from uuid import UUID

import structlog
from sqlalchemy.exc import DBAPIError

from partywall.core.db.scoped_access import ScopedReader
from partywall.core.db.scopes import open_scope
from partywall.core.db.session import Sessions
from partywall.core.embedders import Embedders, EmbeddingError
from partywall.core.rerankers import Reranker, RerankError
from partywall.core.resources import Resources
from partywall.core.rights import require
from partywall.core.shared_threads import SharedThreads
from partywall.core.similarity import SimilarityScale, SimilarityScales
from partywall.core.tenancy import ProjectScope
from partywall.core.tenant_semaphore import TenantSemaphore
from partywall.core.vector_server import VectorServerError
from partywall.features.documents.facets import count_facets
from partywall.features.documents.rights import DOCUMENT_READ
from partywall.features.search import relevance
from partywall.features.search.constants import EXACT_CHUNKS
from partywall.features.search.copies import NO_OWNERS
from partywall.features.search.exceptions import SearchModelUnavailable, SearchTimeoutError, VectorIndexUnavailable
from partywall.features.search.marked_texts import marked
from partywall.features.search.one_search import Search
from partywall.features.search.phrase_order import best_passages, with_phrases
from partywall.features.search.phrases import Phrases
from partywall.features.search.repository import CORPUS, Corpus, Found, SearchRepository, ServingIndex
from partywall.features.search.results import Result, rerank
from partywall.features.search.schemas import SearchMode, SearchQuery, SearchResult
from partywall.features.search.terms import QueryWords
from partywall.features.search.vector_index import PgvectorIndex, ServerIndex, VectorIndex
from partywall.features.search.vectors import vector_text

log = structlog.get_logger()

QUERY_CANCELED: Final = "57014"
# Of the statements of a search, this does not count as use of the account.
ORDINARY_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class Answer:
    """`mode` is the mode used: `text` for a hybrid search whose model did not answer or read."""

    result: SearchResult
    mode: SearchMode


@dataclass(frozen=True, slots=True)
class SearchService:
    """Holds no database connection while a model embeds the query or reranks: models may be remote."""

    reader: ScopedReader
    sessions: Sessions
    embedders: Embedders
    slots: TenantSemaphore
    highlighting: SharedThreads
    timeout: timedelta
    vectors: VectorIndex
    similarities: SimilarityScales
    reranker: Reranker | None

    @classmethod
    def of(cls, reader: ScopedReader, resources: Resources) -> Self:
        return cls(
            reader, resources.sessions, resources.embedders, resources.searches, resources.highlighting,
            resources.settings.search.timeout, vector_index(resources), resources.similarities, resources.reranker,
        )  # fmt: skip

    async def search(self, project_id: UUID, query: SearchQuery) -> Answer:
        """Raises SearchTimeoutError, and TooManyRequestsError for too many concurrent searches of a caller.

        Counting facets raises as `ScopedReader.long_row` does.
        """
        scope, corpus = await self._corpus(project_id)
        facets = await count_facets(self.reader, project_id, query.wanted, query.facets)
        if corpus.chunks == 0:
            return Answer(SearchResult(items=[], facets=facets, reranked=None), query.mode)
        async with self.slots.hold(self.reader.principal.tenant):
            vector, scale = await self._embed(corpus, query)
            vector, proposed = await self._propose(scope, corpus, query, vector)
            mode = SearchMode.TEXT if vector is None else query.mode
            until = asyncio.get_running_loop().time() + self.timeout.total_seconds()
            most = query.limit if self.reranker is None else max(query.limit, self.reranker.candidates)
            with _timeouts():
                words = QueryWords.of(query.q, corpus.configurations, corpus.language)
                search = Search(corpus, query, words, mode, vector, until, self.vectors, proposed, scale, most)
                results = await self._results(scope, search)
            results, reranked = await self._reranked(query.q, results)
            shown = [each for each in results[: query.limit] if each.score >= (query.min_score or 0)]
            items = await marked(self.reader, self.highlighting, scope, words.words, shown, explain=query.explain)
        return Answer(SearchResult(items=items, facets=facets, reranked=reranked), mode)

    @asynccontextmanager
    async def _counted(self) -> AsyncIterator[None]:
        """Counts the time of the statements as use of the account, if it is long."""
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            yield
        finally:
            if (long := clock() - began - ORDINARY_SECONDS) > 0:
                self.slots.add_use(self.reader.principal.tenant, long)

    async def _results(self, scope: ProjectScope, search: Search) -> list[Result]:
        async with self.sessions.read() as session, self._counted():
            scope = await open_scope(session, scope.principal, scope.project_id, statement_timeout=self.timeout)
            repository = SearchRepository(session, scope)
            if search.corpus.chunks > EXACT_CHUNKS:
                await repository.plan_for_this_project()
            asked = await search.asked(repository)
            kept = await search.kept(repository)
            groups = await search.run(repository, kept, asked)
            search.refuse_late()
            phrases = search.phrases(asked)
            compared = best_passages(groups) if phrases.weights else []
            firsts = [group.best.chunk for group in groups[: search.most]]
            found = {each.number: each for each in await repository.shown([*{*firsts, *compared}])}
            texts = {group.text_hash for group in groups if any(each.chunk in found for each in group.passages)}
            owners = await repository.owners(texts, kept, search.query.limit)
        shares = await self._shares(phrases, [found[number] for number in compared if number in found])
        ordered = with_phrases(groups, dict.fromkeys(found, 0.0) | shares)[: search.most]
        scores = relevance.scores([each.best for each in ordered], search.mode, search.scale)
        return [
            Result(group, found[group.best.chunk], owners.get(group.text_hash, NO_OWNERS), score)
            for group, score in zip(ordered, scores, strict=True)
        ]

    async def _shares(self, phrases: Phrases, found: Sequence[Found]) -> dict[int, float]:
        """The share of the query's phrases in each passage."""
        if not found:
            return {}

        def shares() -> dict[int, float]:
            return {each.number: phrases.share(f"{each.context}\n{each.text}") for each in found}

        return await self.highlighting.run(shares, self.reader.principal.tenant)

    async def _reranked(self, query: str, results: list[Result]) -> tuple[list[Result], bool | None]:
        if self.reranker is None or not results:
            return results, None
        try:
            return await rerank(self.reranker, query, results), True
        except RerankError as error:
            log.warning("search_without_reranking", reason=str(error))
            return results, False

    async def _corpus(self, project_id: UUID) -> tuple[ProjectScope, Corpus]:
        scope, row = await self.reader.row(CORPUS, project_id, {})
        require(scope, DOCUMENT_READ)
        index = (
            None
            if row["id"] is None
            else ServingIndex(row["id"], row["model"], row["dimension"], row["approximate"], row["external"])
        )
        size = (row["chunks"] or 0, row["terms"] or 0)
        staged, purging = bool(row["staged"]), bool(row["purging"])
        return scope, Corpus(*size, row["configurations"] or [], index, staged, purging, row["language"])

    async def _embed(self, corpus: Corpus, query: SearchQuery) -> tuple[str | None, SimilarityScale | None]:
        """The query's vector in PostgreSQL's notation, and its model's scale; None for a text search."""
        if query.mode is SearchMode.TEXT or corpus.index is None:
            return None, None
        try:
            embedder = await self.embedders.named(corpus.index.model)
            if embedder is None:
                raise EmbeddingError("not available on this machine")
            if query.mode is SearchMode.HYBRID and not embedder.reads(query.q):
                return None, None
            return vector_text(await embedder.embed_query(query.q)), await self.similarities.of(embedder)
        except EmbeddingError as error:
            if query.mode is SearchMode.VECTOR:  # there is no fallback
                raise SearchModelUnavailable(corpus.index.model) from error
            log.warning("search_without_vectors", model=corpus.index.model, reason=str(error))
            return None, None

    async def _propose(
        self, scope: ProjectScope, corpus: Corpus, query: SearchQuery, vector: str | None
    ) -> tuple[str | None, list[int] | None]:
        """The vector, and what the vector index proposes for it; without an answer, neither."""
        if vector is None or corpus.index is None:
            return None, None
        try:
            return vector, await self.vectors.propose(scope, corpus.index, vector)
        except VectorServerError as error:
            log.warning("search_without_vectors", model=corpus.index.model, reason=str(error))
            if query.mode is SearchMode.VECTOR:  # there is no fallback
                raise VectorIndexUnavailable from error
            return None, None


def vector_index(resources: Resources) -> VectorIndex:
    return PgvectorIndex() if resources.vector_server is None else ServerIndex(resources.vector_server)


@contextmanager
def _timeouts() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != QUERY_CANCELED:
            raise
        raise SearchTimeoutError from error
