"""Reads in one statement what a worker must know about a project's index before it embeds and writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from uuid import UUID

import orjson
from sqlalchemy import ColumnElement, Select, Uuid, bindparam, column, func, literal, select, true
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by

from partywall.core.db.read_pool import ReadPool
from partywall.core.db.scoped_access import ScopedReader
from partywall.core.db.scoped_query import OPENED, PROJECT_ID, ScopedQuery
from partywall.core.errors import QuotaExceededError
from partywall.core.tenancy import Principal
from partywall.features.search.index_repository import KnownIndex
from partywall.features.search.models import SearchChunk, SearchIndex, SearchStatistic

_DOCUMENTS = bindparam("documents", type_=ARRAY(Uuid))


def _state(allowed: ColumnElement[bool]) -> Select[*tuple[object, ...]]:
    index = func.jsonb_build_array(
        SearchIndex.id,
        SearchIndex.model,
        SearchIndex.dimension,
        SearchIndex.status,
        SearchIndex.approximate,
        SearchIndex.external,
    )
    indexes = select(func.jsonb_agg(aggregate_order_by(index, SearchIndex.id))).where(
        allowed, SearchIndex.project_id == PROJECT_ID, SearchIndex.status != literal("retired")
    )
    whole = select(SearchStatistic.chunks).where(allowed, SearchStatistic.project_id == PROJECT_ID)
    used = select(SearchStatistic.configurations).where(allowed, SearchStatistic.project_id == PROJECT_ID)
    # Lateral: without good statistics, another plan would read all chunks of the project.
    given = func.unnest(_DOCUMENTS).table_valued(column("id", Uuid), name="given").render_derived()
    counted = (
        select(func.count().label("chunks"), func.bool_or(SearchChunk.staged_for.is_not(None)).label("staged"))
        .where(allowed, SearchChunk.project_id == PROJECT_ID, SearchChunk.document_id == given.c.id)
        .correlate(OPENED, given)
        .lateral("counted")
    )
    mine = select(func.sum(counted.c.chunks)).select_from(given.join(counted, true()))
    staged = select(func.array_agg(given.c.id)).select_from(given.join(counted, true())).where(counted.c.staged)
    return select(
        indexes.correlate(OPENED).scalar_subquery().label("indexes"),
        whole.correlate(OPENED).scalar_subquery().label("chunks"),
        used.correlate(OPENED).scalar_subquery().label("configurations"),
        mine.correlate(OPENED).scalar_subquery().label("replaced"),
        staged.correlate(OPENED).scalar_subquery().label("staged"),
        func.wall.quota_of(PROJECT_ID, "passages").label("most"),
    ).where(allowed)


_STATE: Final = ScopedQuery.read(_state)


@dataclass(frozen=True, slots=True)
class IndexState:
    """`replaced` counts the chunks of the given documents; `staged` are those documents that have staged chunks."""

    indexes: list[KnownIndex]
    chunks: int
    replaced: int
    configurations: frozenset[str]
    staged: frozenset[UUID]
    most: Decimal | None

    def require_room(self, more: int) -> None:
        """Raises QuotaExceededError if `more` chunks exceed the quota; checked before vectors are computed."""
        used = self.chunks - self.replaced
        if more and self.most is not None and used + more > self.most:
            raise QuotaExceededError("passages", used, more, int(self.most))


async def read_state(pool: ReadPool, project_id: UUID, documents: Sequence[UUID]) -> IndexState:
    """Raises ProjectNotFoundError if the project's own worker has no access any more."""
    reader = ScopedReader(pool, Principal.service(project_id))
    _, row = await reader.row(_STATE, project_id, {"documents": list(documents)})
    indexes = [KnownIndex(UUID(id_), *others) for id_, *others in orjson.loads(row["indexes"] or "[]")]
    return IndexState(
        indexes,
        row["chunks"] or 0,
        int(row["replaced"] or 0),
        frozenset(row["configurations"] or ()),
        frozenset(row["staged"] or ()),
        row["most"],
    )
