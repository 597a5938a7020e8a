"""The statements that find the nearest vectors: all of a project, some passages, or those of matching documents."""

from __future__ import annotations

from functools import lru_cache
from typing import Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Float,
    Integer,
    Label,
    Select,
    Subquery,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    cast,
    func,
    literal_column,
    select,
    true,
    union,
)
from sqlalchemy.dialects.postgresql import ARRAY

from partywall.features.documents.filters.matches import matches
from partywall.features.documents.filters.tree import Filter
from partywall.features.search.constants import EXACT_CHUNKS
from partywall.features.search.different_texts import different
from partywall.features.search.kept_passages import Kept, document_of
from partywall.features.search.models import EMBEDDING, VECTOR_CHANGE, HalfVector, SearchChunk

_PROJECT: Final = bindparam("project_id", type_=Uuid)
_LOOKED_AT: Final = bindparam("looked_at", type_=Integer)
# The latest changes are enough: older ones are late, or too many to be compared with each search.
_UNKNOWN: Final = (
    select(VECTOR_CHANGE.c.chunk)
    .where(VECTOR_CHANGE.c.project_id == _PROJECT, VECTOR_CHANGE.c.index_id == bindparam("index_id", type_=Uuid))
    .order_by(VECTOR_CHANGE.c.chunk.desc())
    .limit(EXACT_CHUNKS)
    .subquery("unknown")
)
# An array is looked up by key; a subquery would be joined to all vectors of the project.
_PROPOSED: Final = func.array(
    union(select(func.unnest(bindparam("only", type_=ARRAY(BigInteger)))), select(_UNKNOWN.c.chunk)).scalar_subquery(),
    type_=ARRAY(BigInteger),
)

# Building a statement takes as much of this process's time as running it.
_KEPT: Final = lru_cache(maxsize=64)

type Nearest = Select[int, UUID, float]


@_KEPT
def vectors(dimension: int, *, approximate: bool, only: bool, staged: bool) -> Select[int, float]:
    """The vectors of the project with their distances, unordered; without those of staged passages if there are any.

    `only`: those that the vector server names as `only`, and those that it does not know yet.
    """
    columns = EMBEDDING.c
    # A subquery is evaluated once; a plain cast would parse the parameter again for every row.
    asked = select(cast(bindparam("vector", type_=Text), HalfVector(dimension))).scalar_subquery()
    # The index is on the vector with its dimension; an exact scan needs no cast.
    compared = cast(columns.embedding, HalfVector(dimension)) if approximate else columns.embedding
    distance: Label[float] = compared.op("<=>", return_type=Float())(asked).label("distance")
    found = select(columns.chunk, distance).where(
        columns.project_id == _PROJECT, columns.index_id == bindparam("index_id", type_=Uuid)
    )
    if approximate:
        found = found.where(columns.dimension == literal_column(str(dimension)), columns.approximate)
    if only:
        found = found.where(columns.chunk == any_(_PROPOSED))
    if staged:
        hidden = select(SearchChunk.number).where(
            SearchChunk.project_id == _PROJECT, SearchChunk.staged_for.is_not(None)
        )
        found = found.where(columns.chunk.not_in(hidden))
    return found


@_KEPT
def best(found: Select[int, float]) -> Nearest:
    return _best(found)


def _best(found: Select[int, float]) -> Nearest:
    nearest = found.order_by("distance").limit(_LOOKED_AT).subquery("best")
    with_documents = (
        select(nearest, SearchChunk.document_id)
        .join_from(nearest, SearchChunk, SearchChunk.number == nearest.c.chunk)
        .where(SearchChunk.project_id == _PROJECT)
    )
    return _of_each_document(with_documents.subquery("near"))


def best_of(found: Select[int, float]) -> Nearest:
    """The best passages among those with the numbers `kept`."""
    return _best(_of(found))


def _of(found: Select[int, float]) -> Select[int, float]:
    [chunk, _] = found.selected_columns
    return found.where(chunk.in_(select(func.unnest(bindparam("kept", type_=ARRAY(BigInteger))))))


def best_in_order(found: Select[int, float], tree: Filter | None) -> Nearest:
    """The best passages of documents that match, in the order in which the HNSW index or the server gives them."""
    [chunk, _] = found.selected_columns
    its_chunk = and_(SearchChunk.project_id == _PROJECT, SearchChunk.number == chunk)
    wanted = matches(tree, _PROJECT, SearchChunk.document_id)
    return _best(found.join(SearchChunk, its_chunk).where(wanted))


def best_of_matching(found: Select[int, float], tree: Filter | None) -> Nearest:
    """The best passages of documents that match, looked up in the order of the distances: `among` so many at most."""
    first = found.order_by("distance").limit(bindparam("among", type_=Integer)).subquery("first")
    its = document_of(tree, first.c.chunk)
    near = select(first, its.c.document_id).join_from(first, its, true()).order_by(first.c.distance).limit(_LOOKED_AT)
    return _of_each_document(near.subquery("near"))


def without_copies(found: Select[int, float], kept: Kept | None) -> Select[*tuple[object, ...]]:
    """The best of all passages that may be found, without copies."""
    each = (_of(found) if kept is not None and kept.numbers is not None else found).subquery("found")
    return different(each, lambda given: given.c.distance, kept)


def _of_each_document(near: Subquery) -> Nearest:
    """At most `of_document` of each: a large document must not fill the candidates alone."""
    place = func.row_number().over(partition_by=near.c.document_id, order_by=near.c.distance).label("place")
    placed = select(near, place).subquery("placed")
    return (
        select(placed.c.chunk, placed.c.document_id, placed.c.distance)
        .where(placed.c.place <= bindparam("of_document", type_=Integer))
        .order_by(placed.c.distance)
        .limit(bindparam("candidates", type_=Integer))
    )
