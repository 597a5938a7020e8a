"""The port of the vector indexes, and the index inside PostgreSQL.

PostgreSQL holds every vector, under row-level security; an index makes finding the nearest ones fast.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Protocol

from partywall.features.search import vector_plan
from partywall.features.search.fusion import Candidate
from partywall.features.search.repository import SearchRepository, ServingIndex


class Compare(Protocol):
    """Compares the query's vector with those that PostgreSQL holds of a project, as far as the search may find them."""

    def __call__(self, *, approximate: bool) -> Awaitable[list[Candidate]]: ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """How many candidates to find, in which index of a project with so many chunks."""

    index: ServingIndex
    candidates: int
    chunks: int


class VectorIndex(Protocol):
    """Finds the nearest vectors of one project."""

    async def nearest(self, repository: SearchRepository, compare: Compare, wanted: Wanted) -> list[Candidate]:
        """The best first, in the transaction of the search; decides how exactly to compare."""
        ...


@dataclass(frozen=True, slots=True)
class PgvectorIndex:
    """Compares all vectors of a project, or uses pgvector's HNSW index where that is cheaper."""

    async def nearest(self, repository: SearchRepository, compare: Compare, wanted: Wanted) -> list[Candidate]:
        approximate = wanted.index.approximate and vector_plan.uses_index(
            wanted.chunks, await repository.indexed_rows(wanted.index)
        )
        found = await compare(approximate=approximate)
        if approximate and len(found) < wanted.candidates:
            # Identical vectors of another project can form an island in the shared graph that the scan does not leave.
            found = await compare(approximate=False)
        return found
