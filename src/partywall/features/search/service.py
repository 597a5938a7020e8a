"""Answers a search: both halves, their fusion, and the passages to show."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
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
from partywall.features.documents.filters.facets import count_facets
from partywall.features.documents.rights import DOCUMENT_READ
from partywall.features.search import fusion, vector_plan
from partywall.features.search.constants import CANDIDATES, WIDER
from partywall.features.search.exceptions import SearchModelUnavailable, SearchTimeoutError
from partywall.features.search.fusion import Candidate, Ranked
from partywall.features.search.highlights import spans
from partywall.features.search.kept_passages import Kept
from partywall.features.search.query_text import words_of
from partywall.features.search.repository import CORPUS, Corpus, Found, SearchRepository, ServingIndex
from partywall.features.search.schemas import Highlight, SearchGroup, SearchHit, SearchMode, SearchQuery, SearchResult
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
        """Raises SearchTimeoutError, and TooManyRequestsError for too many concurrent searches of a caller.

        Counting facets raises as `ScopedReader.long_row` does.
        """
        scope, corpus = await self._corpus(project_id)
        facets = await count_facets(self.reader, project_id, query.wanted, query.facets)
        if corpus.chunks == 0:
            return Answer(SearchResult(items=[], facets=facets), query.mode)
        async with self.slots.hold(self.reader.principal.tenant):
            vector = await self._embed(corpus, query)
            mode = SearchMode.TEXT if vector is None else query.mode
            until = asyncio.get_running_loop().time() + self.timeout.total_seconds()
            with _timeouts():
                items = await self._hits(scope, _Search(corpus, query, mode, vector, until))
        return Answer(SearchResult(items=items, facets=facets), mode)

    async def _hits(self, scope: ProjectScope, search: _Search) -> list[SearchHit]:
        async with self.sessions.read() as session:
            scope = await open_scope(session, scope.principal, scope.project_id, statement_timeout=self.timeout)
            repository = SearchRepository(session, scope)
            ranked = await search.run(repository, await search.kept(repository))
            search.refuse_late()
            found = await repository.shown([hit.chunk for hit in ranked], search.words)
        return _hits(ranked, found)

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
    mode: SearchMode
    vector: str | None
    until: float

    def refuse_late(self) -> None:
        """Raises SearchTimeoutError after the deadline: the statement timeout limits each statement alone."""
        if asyncio.get_running_loop().time() > self.until:
            raise SearchTimeoutError

    @property
    def words(self) -> str:
        return words_of(self.query.q)

    async def kept(self, repository: SearchRepository) -> Kept | None:
        """What the filter keeps, without passages of deleted documents; None for all."""
        tree = self.query.wanted
        if tree is None:
            return Kept(None) if self.corpus.purging else None
        return Kept(tree, await repository.numbers(tree))

    async def run(self, repository: SearchRepository, kept: Kept | None) -> list[Ranked]:
        """The best chunks; takes more candidates if the first ones belong to too few documents."""
        found = await self._ranked(repository, kept, CANDIDATES)
        if len(found.ranked) < self.query.limit and found.cut_off:
            found = await self._ranked(repository, kept, CANDIDATES * WIDER)
        return found.ranked[: self.query.limit]

    async def _ranked(self, repository: SearchRepository, kept: Kept | None, candidates: int) -> _Ranking:
        self.refuse_late()
        text = await self._by_text(repository, kept, candidates) if self.mode is not SearchMode.VECTOR else []
        vector = await self._by_vector(repository, kept, candidates) if self.mode is not SearchMode.TEXT else []
        ranked = (
            fusion.fuse(text, vector, depth=CANDIDATES)
            if self.mode is SearchMode.HYBRID
            else fusion.rank([*text, *vector])
        )
        if self.query.group is SearchGroup.DOCUMENT:
            ranked = fusion.best_per_document(ranked)
        return _Ranking(ranked, cut_off=candidates in {len(text), len(vector)})

    async def _by_text(self, repository: SearchRepository, kept: Kept | None, candidates: int) -> list[Candidate]:
        return await repository.by_text(self.corpus, self.words, candidates, kept)

    async def _by_vector(self, repository: SearchRepository, kept: Kept | None, candidates: int) -> list[Candidate]:
        index, vector = self.corpus.index, self.vector
        if index is None or vector is None:
            return []
        nearest = partial(repository.by_vector, index, vector, candidates, kept, staged=self.corpus.staged)
        approximate = await self._uses_index(repository, index, kept)
        found = await nearest(approximate=approximate)
        if approximate and len(found) < candidates:
            self.refuse_late()
            # Identical vectors of another project can form an island in the shared graph that the scan does not leave.
            found = await nearest(approximate=False)
        return found

    async def _uses_index(self, repository: SearchRepository, index: ServingIndex, kept: Kept | None) -> bool:
        if not index.approximate or (kept is not None and kept.numbers is not None):
            return False
        filters = kept is not None and kept.tree is not None
        return vector_plan.uses_index(self.corpus.chunks, await repository.indexed_rows(index), filters=filters)


@dataclass(frozen=True, slots=True)
class _Ranking:
    ranked: list[Ranked]
    cut_off: bool


def _hits(ranked: Sequence[Ranked], found: Sequence[Found]) -> list[SearchHit]:
    """In the order of the ranking, without chunks that were removed meanwhile."""
    by_number = {each.number: each for each in found}
    return [_hit(by_number[hit.chunk], hit.score) for hit in ranked if hit.chunk in by_number]


def _hit(found: Found, score: float) -> SearchHit:
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
        highlights=[Highlight(start=span.start, end=span.end) for span in spans(found.marked, found.text)],
    )
