"""Which documents match a filter. Row-level security hides those of other projects and deleted ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    SQLColumnExpression,
    Uuid,
    and_,
    case,
    exists,
    func,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY

from partywall.features.documents.filters.conditions import Condition, condition
from partywall.features.documents.filters.tree import Filter
from partywall.features.documents.filters.value_ranges import narrowed
from partywall.features.documents.models import DOCUMENT

MOST_FEW: Final = 5_000
"""So many documents are found through their values; of more, PostgreSQL looks at all in the order that is wanted."""


@dataclass(frozen=True, slots=True)
class Matching:
    """`few` are the only documents that may match, if it is known: see `few_ids`."""

    tree: Filter
    few: tuple[UUID, ...] | None = None

    @property
    def condition(self) -> Condition:
        if self.few is None:
            return condition(self.tree)
        return and_(DOCUMENT.c.id == func.any(literal(list(self.few), ARRAY(Uuid))), condition(self.tree))


def few_ids(
    tree: Filter, project_id: ColumnElement[UUID], *also: Condition, outer: FromClause | None = None
) -> Select[list[UUID]] | None:
    """Selects the ids of the only documents that may match, or null if they are many. None if metadata does not tell.

    `also` are further conditions, correlated to `outer`.
    """
    found = narrowed(tree, project_id)
    if found is None:
        return None
    some = found.where(*also).limit(MOST_FEW + 1)
    ids = (some.subquery("few") if outer is None else some.correlate(outer).lateral("few")).c.document_id
    all_ids = func.coalesce(func.array_agg(ids), literal([], ARRAY(Uuid)))
    return select(case((func.count() <= MOST_FEW, all_ids)).label("few"))


def matching(tree: Filter, project_id: ColumnElement[UUID], among: Select[UUID] | None = None) -> Select[UUID]:
    """The ids of all documents that match, or of those `among` these."""
    mine = select(DOCUMENT.c.id).where(DOCUMENT.c.project_id == project_id, condition(tree))
    return mine if among is None else mine.where(DOCUMENT.c.id.in_(among))


def matches(tree: Filter | None, project_id: ColumnElement[UUID], document_id: SQLColumnExpression[UUID]) -> Condition:
    """Whether the document with this id is visible, and matches."""
    wanted = [] if tree is None else [condition(tree)]
    return exists().where(DOCUMENT.c.project_id == project_id, DOCUMENT.c.id == document_id, *wanted)
