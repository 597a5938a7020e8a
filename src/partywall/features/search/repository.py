"""The statements of a search: the corpus, the candidates (see `bm25.py` and `nearest.py`), and the chunks to show."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
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
from partywall.features.search.constants import Breadth
from partywall.features.search.copies import Owners, Wording
from partywall.features.search.copy_counts import most_counted, owners
from partywall.features.search.different_texts import READ_ALL
from partywall.features.search.fusion import Candidate
from partywall.features.search.kept_passages import CHECKED_FIRST, Kept, numbers_of
from partywall.features.search.models import SearchChunk, SearchIndex, SearchStatistic, hnsw_index
from partywall.features.search.term_plan import AskedTerm, TermPlan, complete, plan
from partywall.features.search.terms import QueryWords

_EF_SEARCH: Final = "200"

# One lookup for each: without good statistics, another plan would read all documents of the project.
_WITH_DOCUMENTS: Final = """
FROM unnest(CAST(:numbers AS bigint[])) AS given (number)
CROSS JOIN LATERAL (SELECT * FROM chunk WHERE project_id = :project_id AND number = given.number OFFSET 0) AS chunk
CROSS JOIN LATERAL (
    SELECT * FROM document WHERE project_id = :project_id AND id = chunk.document_id OFFSET 0
) AS document
"""
_SHOWN: Final = text(f"""
SELECT chunk.number, chunk.id, chunk.document_id, document.external_id, document.revision, document.title, chunk.page,
    chunk.section, chunk.first, chunk.last, chunk.text, chunk.configuration, chunk.context,
    CAST(chunk.sections AS text) AS sections
{_WITH_DOCUMENTS}
WHERE chunk.staged_for IS NULL
""")

_WORDINGS: Final = text("""
SELECT given.number, chunk.text_hash, chunk.passage_hash FROM unnest(CAST(:numbers AS bigint[])) AS given (number)
CROSS JOIN LATERAL (
    SELECT text_hash, passage_hash FROM chunk WHERE project_id = :project_id AND number = given.number OFFSET 0
) AS chunk
""")

_ITERATE: Final = select(
    func.set_config("hnsw.iterative_scan", "relaxed_order", True), func.set_config("hnsw.ef_search", _EF_SEARCH, True)
)
# A connection has one plan for all projects after some executions, and most are too small for what a large one needs.
_PLAN_ANEW: Final = select(func.set_config("plan_cache_mode", "force_custom_plan", True))
_INDEXED_ROWS: Final = text(
    "SELECT reltuples FROM pg_class JOIN pg_index ON indexrelid = oid WHERE oid = to_regclass(:index) AND indisvalid"
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
    `language` is the project's.
    """

    chunks: int
    terms: int
    configurations: list[str]
    index: ServingIndex | None
    staged: bool = False
    purging: bool = False
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A chunk to show. `context` is the title and the heading that are indexed before its text.

    `sections` are the other sections that begin in the text, as JSON: their places and headings.
    """

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
    context: str
    sections: str | None = None


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
            func.wall.project_language(PROJECT_ID).label("language"),
        )
        .outerjoin(SearchIndex, serves)
        .where(SearchStatistic.project_id == PROJECT_ID, allowed)
    )  # fmt: skip


def _limits(breadth: Breadth) -> dict[str, object]:
    return {
        "looked_at": breadth.looked_at, "of_document": breadth.of_document, "candidates": breadth.candidates,
    }  # fmt: skip


CORPUS: Final = ScopedQuery.read(_corpus)


@dataclass(frozen=True, slots=True)
class SearchRepository:
    session: AsyncReadSession
    scope: ProjectScope

    async def plan_for_this_project(self) -> None:
        """Makes PostgreSQL plan each statement for the values that it is executed with."""
        await self.session.execute(_PLAN_ANEW)

    async def numbers(self, tree: Filter) -> list[int] | None:
        """The passages that a filter keeps; None if they are many."""
        return await self.session.scalar(numbers_of(tree), self._project)

    async def asked(self, corpus: Corpus, words: QueryWords) -> list[AskedTerm]:
        """The terms of a query, and how many chunks contain each."""
        values = {**self._project, **words.parameters, **bm25.asked_parameters()}
        return [AskedTerm(*row) for row in await self.session.execute(bm25.counted(staged=corpus.staged), values)]

    async def by_text(
        self, corpus: Corpus, asked: Sequence[AskedTerm], breadth: Breadth, kept: Kept | None
    ) -> list[Candidate]:
        """The best chunks by BM25 that contain any term of the query, best first."""
        few = kept is not None and kept.numbers is not None
        planned = plan(
            asked, float(corpus.chunks), breadth.looked_at, filters=kept is not None and kept.tree is not None
        )
        if planned is None:
            return []
        if few or breadth.folds:  # to read what is kept costs little; copies fill what a part of the words chooses
            planned = complete(planned)
        found = await self._ranked(corpus, planned, breadth, kept)
        if planned.rest and len(found) < breadth.candidates:
            # Fewer passages have the rarest words, or match: those with only the others are found too.
            found = await self._ranked(corpus, complete(planned), breadth, kept)
        return sorted(found, key=lambda candidate: (-candidate.score, candidate.chunk))

    async def _ranked(self, corpus: Corpus, planned: TermPlan, breadth: Breadth, kept: Kept | None) -> list[Candidate]:
        values = self._project | _limits(breadth) | bm25.parameters(planned, corpus.chunks, corpus.terms)
        pruned = bool(planned.rest)
        query: Executable = bm25.best(pruned=pruned, staged=corpus.staged)
        if kept is not None and kept.numbers is not None:
            query, values = bm25.best(pruned=pruned, kept=True), {**values, "kept": list(kept.numbers)}
        elif kept is not None:
            query = bm25.best_of_matching(kept.tree, pruned=pruned, staged=corpus.staged)
        if breadth.folds:
            await self.session.execute(READ_ALL)
            query = bm25.without_copies(kept, staged=corpus.staged)
        return [Candidate(*row) for row in await self.session.execute(query, values)]

    async def by_vector(
        self,
        index: ServingIndex,
        vector: str,
        breadth: Breadth,
        kept: Kept | None,
        *,
        approximate: bool,
        only: Sequence[int] | None = None,
        staged: bool = False,
    ) -> list[Candidate]:
        """The nearest chunks by cosine similarity, best first: exact, or through the HNSW index if `approximate`.

        With `only`, of these chunks and of those that the vector server does not know yet.
        """
        if approximate:
            await self.session.execute(_ITERATE)
        values: dict[str, object] = {
            **self._project,
            **_limits(breadth),
            "index_id": index.id,
            "vector": vector,
            **({} if only is None else {"only": list(only)}),
        }
        near = nearest.vectors(index.dimension, approximate=approximate, only=only is not None, staged=staged)
        if kept is not None and kept.numbers is not None:
            values["kept"] = list(kept.numbers)
        if breadth.folds:
            await self.session.execute(READ_ALL)
            rows = await self._rows(nearest.without_copies(near, kept), values)
        elif kept is None:
            rows = await self._rows(nearest.best(near), values)
        elif kept.numbers is not None:
            rows = await self._rows(nearest.best_of(near), values)
        elif approximate or only is not None:
            rows = await self._rows(nearest.best_in_order(near, kept.tree), values)
        else:
            rows = await self._checked(nearest.best_of_matching(near, kept.tree), values, breadth)
        found = [Candidate(chunk, document_id, 1 - distance) for chunk, document_id, distance in rows]
        finite = (candidate for candidate in found if math.isfinite(candidate.score))
        return sorted(finite, key=lambda candidate: (-candidate.score, candidate.chunk))

    async def _checked(
        self, query: nearest.Nearest, values: Mapping[str, object], breadth: Breadth
    ) -> Sequence[Row[int, UUID, float]]:
        """Checks the documents of the first ones, which costs no sort of all, and of all if these are not enough."""
        rows = await self._rows(query, {**values, "among": breadth.looked_at * CHECKED_FIRST})
        return rows if len(rows) == breadth.candidates else await self._rows(query, {**values, "among": None})

    async def _rows(self, query: Executable, values: Mapping[str, object]) -> Sequence[Row[int, UUID, float]]:
        return (await self.session.execute(query, values)).all()

    @property
    def _project(self) -> dict[str, object]:
        return {"project_id": self.scope.project_id}

    async def indexed_rows(self, index: ServingIndex) -> float | None:
        """Estimated number of vectors in the HNSW index, of all projects; None if their dimension has no index."""
        rows = await self.session.scalar(_INDEXED_ROWS, {"index": hnsw_index(index.dimension)})
        return None if rows is None else max(0.0, float(rows))

    async def wordings(self, numbers: Sequence[int]) -> dict[int, Wording]:
        """By the numbers of the chunks; without those that are gone."""
        rows = await self.session.execute(_WORDINGS, {**self._project, "numbers": list(numbers)})
        return {number: Wording(*wording) for number, *wording in rows}

    async def owners(self, texts: Collection[int], kept: Kept | None, limit: int) -> dict[int, Owners]:
        """The documents that have a text with one of these hashes, of those that are kept: see `most_counted`."""
        values = {**self._project, "texts": list(texts), "most": most_counted(limit)}
        rows = await self.session.execute(owners(kept), values)
        return {text_hash: Owners(count, ids) for text_hash, count, ids in rows}

    async def shown(self, numbers: Sequence[int]) -> list[Found]:
        """The chunks with their documents' titles, unordered."""
        values = {**self._project, "numbers": list(numbers)}
        return [Found(*row) for row in await self.session.execute(_SHOWN, values)]
