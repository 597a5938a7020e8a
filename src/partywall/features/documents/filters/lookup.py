"""Looks up the few documents that may match a filter, before a statement reads them."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ColumnElement, Select

from partywall.core.db.scoped_access import ScopedReader
from partywall.core.db.scoped_query import OPENED, PROJECT_ID, ScopedQuery
from partywall.features.documents.filters.matches import Matching, few_ids
from partywall.features.documents.filters.tree import Filter


async def look_up(reader: ScopedReader, project_id: UUID, tree: Filter) -> Matching:
    query = _query(tree)
    if query is None:
        return Matching(tree)
    _, row = await reader.row(query, project_id, {})
    return Matching(tree, None if row["few"] is None else tuple(row["few"]))


def _query(tree: Filter) -> ScopedQuery | None:
    if few_ids(tree, PROJECT_ID) is None:
        return None

    def few(allowed: ColumnElement[bool]) -> Select[*tuple[object, ...]]:
        found = few_ids(tree, PROJECT_ID, allowed, outer=OPENED)
        assert found is not None
        return found

    return ScopedQuery.read(few)
