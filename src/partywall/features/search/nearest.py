"""The statements that find the nearest vectors: all of a project, some passages, or those of matching documents."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from sqlalchemy import BigInteger, Float, Integer, Label, Select, Text, Uuid, and_, bindparam, cast, func, select, true
from sqlalchemy.dialects.postgresql import ARRAY

from partywall.features.documents.filters.matches import matches
from partywall.features.documents.filters.tree import Filter
from partywall.features.search.kept_passages import document_of
from partywall.features.search.models import EMBEDDINGS, HalfVector, SearchChunk

_PROJECT: Final = bindparam("project_id", type_=Uuid)
_CANDIDATES: Final = bindparam("candidates", type_=Integer)

type Nearest = Select[int, UUID, float]


def vectors(dimension: int, *, approximate: bool, staged: bool) -> Select[int, float]:
    """The vectors of the project with their distances, unordered; without those of staged passages if there are any."""
    columns = EMBEDDINGS[dimension].c
    # A subquery is evaluated once; a plain cast would parse the parameter again for every row.
    asked = select(cast(bindparam("vector", type_=Text), HalfVector(dimension))).scalar_subquery()
    distance: Label[float] = columns.embedding.op("<=>", return_type=Float())(asked).label("distance")
    found = select(columns.chunk, distance).where(
        columns.project_id == _PROJECT, columns.index_id == bindparam("index_id", type_=Uuid)
    )
    if approximate:
        found = found.where(columns.approximate)
    if staged:
        hidden = select(SearchChunk.number).where(
            SearchChunk.project_id == _PROJECT, SearchChunk.staged_for.is_not(None)
        )
        found = found.where(columns.chunk.not_in(hidden))
    return found


def best(found: Select[int, float]) -> Nearest:
    nearest = found.order_by("distance").limit(_CANDIDATES).subquery("best")
    return (
        select(nearest.c.chunk, SearchChunk.document_id, nearest.c.distance)
        .join_from(nearest, SearchChunk, SearchChunk.number == nearest.c.chunk)
        .where(SearchChunk.project_id == _PROJECT)
    )


def best_of(found: Select[int, float]) -> Nearest:
    """The best passages among those with the numbers `kept`."""
    [chunk, _] = found.selected_columns
    return best(found.where(chunk.in_(select(func.unnest(bindparam("kept", type_=ARRAY(BigInteger)))))))


def best_in_index(found: Select[int, float], tree: Filter | None) -> Nearest:
    """The best passages of documents that match, in the order in which the HNSW index gives them."""
    [chunk, _] = found.selected_columns
    its_chunk = and_(SearchChunk.project_id == _PROJECT, SearchChunk.number == chunk)
    wanted = matches(tree, _PROJECT, SearchChunk.document_id)
    return best(found.join(SearchChunk, its_chunk).where(wanted))


def best_of_matching(found: Select[int, float], tree: Filter | None) -> Nearest:
    """The best passages of documents that match, looked up in the order of the distances: `among` so many at most."""
    first = found.order_by("distance").limit(bindparam("among", type_=Integer)).subquery("first")
    its = document_of(tree, first.c.chunk)
    return (
        select(first.c.chunk, its.c.document_id, first.c.distance)
        .join_from(first, its, true())
        .order_by(first.c.distance)
        .limit(_CANDIDATES)
    )
