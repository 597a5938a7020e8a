"""Counts the documents that match a filter by the values of some fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

import orjson

from partywall.core.db.scoped_access import ScopedReader
from partywall.core.rights import require
from partywall.features.documents.filters.facets import MOST_VALUES, value_counts
from partywall.features.documents.filters.lookup import look_up
from partywall.features.documents.filters.tree import Field, Filter
from partywall.features.documents.rights import DOCUMENT_READ
from partywall.features.documents.schemas import Facet, FacetValue


async def count_facets(
    reader: ScopedReader, project_id: UUID, tree: Filter | None, fields: Sequence[Field]
) -> list[Facet]:
    if not fields:
        return []
    matching = None if tree is None else await look_up(reader, project_id, tree)
    scope, row = await reader.long_row(value_counts(matching, fields), project_id, {})
    require(scope, DOCUMENT_READ)
    found: Mapping[int, list[tuple[int, str]]] = {number: [] for number in range(len(fields))}
    for number, value, count in zip(row["numbers"] or (), row["found"] or (), row["counts"] or (), strict=True):
        found[number].append((-count, value))
    return [_facet(field, sorted(found[number])) for number, field in enumerate(fields)]


def _facet(field: Field, found: Sequence[tuple[int, str]]) -> Facet:
    values = [FacetValue(value=orjson.loads(value), count=-count) for count, value in found[:MOST_VALUES]]
    return Facet(field=".".join((field.name, *field.path)), values=values, more=len(found) > MOST_VALUES)
