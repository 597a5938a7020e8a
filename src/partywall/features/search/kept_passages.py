"""Applies a filter to the passages, before they are ranked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, Select, Uuid, bindparam, case, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql.selectable import LateralFromClause

from partywall.features.documents.filters.matches import matches, matching
from partywall.features.documents.filters.tree import Filter
from partywall.features.documents.filters.value_ranges import narrowed
from partywall.features.search.models import SearchChunk

MOST_KEPT: Final = 5_000
"""So many passages are ranked by their numbers; of more, the best ones are checked in their order."""

MOST_READ: Final = 1_000
"""The same for a filter whose documents have to be looked for one by one."""

CHECKED_FIRST: Final = 25
"""How many times the candidates are checked before all of them are."""

_PROJECT: Final = bindparam("project_id", type_=Uuid)


@dataclass(frozen=True, slots=True)
class Kept:
    """The passages that a search may find.

    `numbers` has them if they are few. Otherwise their documents match `tree`, or without one are not deleted.
    """

    tree: Filter | None
    numbers: Sequence[int] | None = None

    @property
    def is_many(self) -> bool:
        """A filter keeps more passages than can be named."""
        return self.tree is not None and self.numbers is None


def numbers_of(tree: Filter) -> Select[list[int]]:
    """The passages of the documents that match; null if they are too many."""
    few = narrowed(tree, _PROJECT)
    if few is None:
        return select(_numbers(matching(tree, _PROJECT), MOST_READ))
    # Ends before any document is read if the filter keeps many.
    some = few.limit(MOST_KEPT + 1).cte("few").prefix_with("MATERIALIZED", dialect="postgresql")
    numbers = _numbers(matching(tree, _PROJECT, select(some.c.document_id)), MOST_KEPT)
    return select(case((select(func.count()).select_from(some).scalar_subquery() <= MOST_KEPT, numbers)))


def _numbers(documents: Select[UUID], most: int) -> ColumnElement[list[int] | None]:
    matched = documents.subquery("matched")
    some = (
        select(SearchChunk.number)
        .join_from(matched, SearchChunk, SearchChunk.document_id == matched.c.id)
        .where(SearchChunk.project_id == _PROJECT, SearchChunk.staged_for.is_(None))
        .limit(most + 1)
        .subquery("some")
    )
    numbers = func.coalesce(func.array_agg(some.c.number), literal([], ARRAY(BigInteger)))
    return select(case((func.count() <= most, numbers))).select_from(some).scalar_subquery()


def document_of(tree: Filter | None, chunk: ColumnElement[int]) -> LateralFromClause:
    """The document of a passage, if it matches: looked up for one passage after the other, in their order."""
    return (
        select(SearchChunk.document_id)
        .where(
            SearchChunk.project_id == _PROJECT,
            SearchChunk.number == chunk,
            matches(tree, _PROJECT, SearchChunk.document_id),
        )
        .limit(1)
        .lateral("its")
    )
