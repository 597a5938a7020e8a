"""Answers a search: both halves, their fusion, and the passages to show."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final, Self
from uuid import UUID

import structlog
from sqlalchemy.exc import DBAPIError

from partywall.core.db.scoped_access import ScopedReader
from partywall.core.db.scopes import open_scope
from partywall.core.db.session import Sessions
from partywall.core.embedders import Embedders, EmbeddingError
from partywall.core.resources import Resources
from partywall.core.rights import require
from partywall.core.tenancy import ProjectScope
from partywall.core.tenant_semaphore import TenantSemaphore
from partywall.features.documents.rights import DOCUMENT_READ
from partywall.features.search import fusion, vector_plan
from partywall.features.search.constants import CANDIDATES, WIDER
from partywall.features.search.exceptions import SearchModelUnavailable, SearchTimeoutError
from partywall.features.search.fusion import Candidate, Ranked
from partywall.features.search.highlights import Highlighter, Span
from partywall.features.search.repository import CORPUS, Corpus, Found, SearchRepository, ServingIndex
from partywall.features.search.schemas import Highlight, SearchGroup, SearchHit, SearchMode, SearchQuery, SearchResult
from partywall.features.search.terms import QueryWords, WordList
from partywall.features.search.vectors import vector_text

log = structlog.get_logger()

QUERY_CANCELED: Final = "57014"


@dataclass(frozen=True, slots=True)
class Answer:
    """`mode` is the mode used: `text` for a hybrid search whose model did not answer."""

    result: SearchResult
    mode: SearchMode


@dataclass(frozen=True, slots=True)
class SearchService:
    """Holds no database connection while a model embeds the query: the model may be remote."""

    reader: ScopedReader
    sessions: Sessions
    embedders: Embedders
    slots: TenantSemaphore
    timeout: timedelta

    @classmethod
    def of(cls, reader: ScopedReader, resources: Resources) -> Self:
        timeout = resources.settings.search.timeout
        return cls(reader, resources.sessions, resources.embedders, resources.searches, timeout)

    async def search(self, project_id: UUID, query: SearchQuery) -> Answer:
        """Raises SearchTimeoutError, and TooManyRequestsError for too many concurrent searches of a caller."""
        scope, corpus = await self._corpus(project_id)
        if corpus.chunks == 0:
            return Answer(SearchResult(items=[]), query.mode)
        async with self.slots.hold(self.reader.principal.tenant):
            vector = await self._embed(corpus, query)
            mode = SearchMode.TEXT if vector is None else query.mode
            until = asyncio.get_running_loop().time() + self.timeout.total_seconds()
            with _timeouts():
                words = QueryWords.of(query.q, corpus.configurations)
                items = await self._hits(scope, _Search(corpus, query, words, mode, vector, until))
        return Answer(SearchResult(items=items), mode)

    async def _hits(self, scope: ProjectScope, search: _Search) -> list[SearchHit]:
        async with self.sessions.read() as session:
            scope = await open_scope(session, scope.principal, scope.project_id, statement_timeout=self.timeout)
            repository = SearchRepository(session, scope)
            ranked = await search.run(repository)
            search.refuse_late()
            found = await repository.shown([hit.chunk for hit in ranked])
            highlights = await self._highlights(repository, search.words.words, found)
        return _hits(ranked, found, highlights)

    async def _highlights(
        self, repository: SearchRepository, asked: WordList, found: Sequence[Found]
    ) -> Mapping[int, list[Span]]:
        """By the chunks' numbers."""
        highlighter = Highlighter.of(asked, [(each.configuration, each.text) for each in found])
        highlighter.matched = await repository.matching(highlighter.words, len(asked.numbers))
        return {each.number: highlighter.spans(position) for position, each in enumerate(found)}

    async def _corpus(self, project_id: UUID) -> tuple[ProjectScope, Corpus]:
        scope, row = await self.reader.row(CORPUS, project_id, {})
        require(scope, DOCUMENT_READ)
        index = (
            None if row["id"] is None else ServingIndex(row["id"], row["model"], row["dimension"], row["approximate"])
        )
        size = (row["chunks"] or 0, row["terms"] or 0)
        staged, purging = bool(row["staged"]), bool(row["purging"])
        return scope, Corpus(*size, row["configurations"] or [], index, staged=staged, purging=purging)

    async def _embed(self, corpus: Corpus, query: SearchQuery) -> str | None:
        """The query's vector in PostgreSQL's notation; None for a text search."""
        if query.mode is SearchMode.TEXT or corpus.index is None:
            return None
        try:
            embedder = await self.embedders.named(corpus.index.model)
            if embedder is None:
                raise EmbeddingError("not available on this machine")
            return vector_text(await embedder.embed_query(query.q))
        except EmbeddingError as error:
            if query.mode is SearchMode.VECTOR:  # there is no fallback
                raise SearchModelUnavailable(corpus.index.model) from error
            log.warning("search_without_vectors", model=corpus.index.model, reason=str(error))
            return None


@contextmanager
def _timeouts() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != QUERY_CANCELED:
            raise
        raise SearchTimeoutError from error


@dataclass(frozen=True, slots=True)
class _Search:
    corpus: Corpus
    query: SearchQuery
    words: QueryWords
    mode: SearchMode
    vector: str | None
    until: float

    def refuse_late(self) -> None:
        """Raises SearchTimeoutError after the deadline: the statement timeout limits each statement alone."""
        if asyncio.get_running_loop().time() > self.until:
            raise SearchTimeoutError

    async def run(self, repository: SearchRepository) -> list[Ranked]:
        """The best chunks; takes more candidates if the first ones belong to too few documents."""
        found = await self._ranked(repository, CANDIDATES)
        if len(found.ranked) < self.query.limit and found.cut_off:
            found = await self._ranked(repository, CANDIDATES * WIDER)
        return found.ranked[: self.query.limit]

    async def _ranked(self, repository: SearchRepository, candidates: int) -> _Ranking:
        self.refuse_late()
        text = await self._by_text(repository, candidates) if self.mode is not SearchMode.VECTOR else []
        vector = await self._by_vector(repository, candidates) if self.mode is not SearchMode.TEXT else []
        ranked = (
            fusion.fuse(text, vector, depth=CANDIDATES)
            if self.mode is SearchMode.HYBRID
            else fusion.rank([*text, *vector])
        )
        if self.query.group is SearchGroup.DOCUMENT:
            ranked = fusion.best_per_document(ranked)
        return _Ranking(ranked, cut_off=candidates in {len(text), len(vector)})

    async def _by_text(self, repository: SearchRepository, candidates: int) -> list[Candidate]:
        return await repository.by_text(self.corpus, self.words, candidates, self.query.status)

    async def _by_vector(self, repository: SearchRepository, candidates: int) -> list[Candidate]:
        index, vector = self.corpus.index, self.vector
        if index is None or vector is None:
            return []
        hidden = {"staged": self.corpus.staged, "purging": self.corpus.purging}
        nearest = partial(repository.by_vector, index, vector, candidates, self.query.status, **hidden)
        approximate = index.approximate and vector_plan.uses_index(
            self.corpus.chunks, await repository.indexed_rows(index)
        )
        found = await nearest(approximate=approximate)
        if approximate and len(found) < candidates:
            self.refuse_late()
            # Identical vectors of another project can form an island in the shared graph that the scan does not leave.
            found = await nearest(approximate=False)
        return found


@dataclass(frozen=True, slots=True)
class _Ranking:
    ranked: list[Ranked]
    cut_off: bool


def _hits(
    ranked: Sequence[Ranked], found: Sequence[Found], highlights: Mapping[int, Sequence[Span]]
) -> list[SearchHit]:
    """In the order of the ranking, without chunks that were removed meanwhile."""
    by_number = {each.number: each for each in found}
    return [_hit(by_number[hit.chunk], hit.score, highlights[hit.chunk]) for hit in ranked if hit.chunk in by_number]


def _hit(found: Found, score: float, spans: Sequence[Span]) -> SearchHit:
    return SearchHit(
        document_id=found.document_id,
        external_id=found.external_id,
        revision=found.revision,
        title=found.title,
        page=found.page,
        section=found.section,
        chunk_id=found.id,
        text=found.text,
        start=found.first,
        end=found.last,
        score=score,
        highlights=[Highlight(start=span.start, end=span.end) for span in spans],
    )
