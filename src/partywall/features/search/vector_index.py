"""The port of the vector indexes, the index inside PostgreSQL, and the one on a vector server.

PostgreSQL holds every vector, under row-level security; an index makes finding the nearest ones fast.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Protocol

from partywall.core.tenancy import ProjectScope
from partywall.core.vector_server import VectorServer, VectorSpace
from partywall.features.search import vector_plan
from partywall.features.search.constants import MORE
from partywall.features.search.fusion import Candidate
from partywall.features.search.kept_passages import Kept
from partywall.features.search.repository import SearchRepository, ServingIndex


class Compare(Protocol):
    """Compares the query's vector with those that PostgreSQL holds of a project, as far as the search may find them.

    With `only`, it compares these passages' vectors, and those that the vector server does not know yet.
    """

    def __call__(
        self, *, approximate: bool = False, only: Sequence[int] | None = None
    ) -> Awaitable[list[Candidate]]: ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """How many candidates to find, in which index of a project with so many chunks.

    `kept`: what a filter leaves, or without a tree what is not being deleted. `staged`: some passages are staged.
    `wide`: other documents are wanted that may be far behind a large one.
    """

    index: ServingIndex
    candidates: int
    chunks: int
    kept: Kept | None = None
    staged: bool = False
    wide: bool = False

    @property
    def filters(self) -> bool:
        return self.kept is not None and self.kept.tree is not None

    @property
    def is_few(self) -> bool:
        """Comparing each of the passages is cheap."""
        return self.kept is not None and self.kept.numbers is not None

    @property
    def is_narrowed(self) -> bool:
        """Not every passage may be found."""
        return self.staged or self.wide or self.kept is not None


class VectorIndex(Protocol):
    """Finds the nearest vectors of one project."""

    async def propose(self, scope: ProjectScope, index: ServingIndex, vector: str) -> list[int] | None:
        """Numbers of near passages, best first; None if it need not ask anybody.

        Called outside a transaction, because the answer may take long. Raises VectorServerError.
        """
        ...

    async def nearest(
        self, repository: SearchRepository, compare: Compare, wanted: Wanted, proposed: list[int] | None
    ) -> list[Candidate]:
        """The best first, in the transaction of the search; decides how exactly to compare."""
        ...


@dataclass(frozen=True, slots=True)
class PgvectorIndex:
    """Compares all vectors of a project, or uses pgvector's HNSW index where that is cheaper."""

    async def propose(self, scope: ProjectScope, index: ServingIndex, vector: str) -> list[int] | None:  # noqa: ARG002 - the port's
        return None

    async def nearest(
        self,
        repository: SearchRepository,
        compare: Compare,
        wanted: Wanted,
        proposed: list[int] | None,  # noqa: ARG002 - the port's
    ) -> list[Candidate]:
        approximate = await self._uses_index(repository, wanted)
        found = await compare(approximate=approximate)
        if approximate and len(found) < wanted.candidates:
            # Identical vectors of another project can form an island in the shared graph that the scan does not leave.
            found = await compare()
        return found

    @staticmethod
    async def _uses_index(repository: SearchRepository, wanted: Wanted) -> bool:
        index = wanted.index
        if not index.approximate or index.external or wanted.is_few:
            return False
        rows = await repository.indexed_rows(index)
        if rows is not None and wanted.filters:  # the index also visits the vectors that a filter does not keep
            rows /= vector_plan.KEPT_SHARE
        return vector_plan.uses_index(wanted.chunks, rows, wanted.candidates)


@dataclass(frozen=True, slots=True)
class ServerIndex:
    """Asks a vector server for near passages, and compares their vectors in PostgreSQL.

    So a passage of another project, one that is deleted or one that the filter excludes is never found, whatever the
    server names; and one that it does not know yet is.
    """

    server: VectorServer
    inside: PgvectorIndex = PgvectorIndex()

    async def propose(self, scope: ProjectScope, index: ServingIndex, vector: str) -> list[int] | None:
        """None while the vectors are moved to the server: PostgreSQL compares them meanwhile."""
        if not (index.external and index.approximate):
            return None
        return await self.server.nearest(scope, VectorSpace(index.model, index.dimension), vector, MORE.candidates)

    async def nearest(
        self, repository: SearchRepository, compare: Compare, wanted: Wanted, proposed: list[int] | None
    ) -> list[Candidate]:
        if proposed is None or wanted.is_few:
            return await self.inside.nearest(repository, compare, wanted, None)
        found = await compare(only=proposed)
        if wanted.is_narrowed and len(found) < wanted.candidates:
            # Few of the nearest may be found, so the passages that may are few, or far away: all are compared.
            found = await compare()
        return found
