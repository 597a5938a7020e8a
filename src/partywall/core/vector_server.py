"""The port of a vector server: an engine outside PostgreSQL that finds the nearest vectors of a project.

PostgreSQL holds every vector and decides what a search may find. A vector server only names passages.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from partywall.core.tenancy import ProjectScope


class VectorServerError(Exception):
    """The server does not answer, or not as expected. The message says why and contains no secret."""


class VectorsRefused(VectorServerError):
    """The server answers, but does not accept the request; repeating it does not help."""


@dataclass(frozen=True, slots=True)
class VectorSpace:
    """What vectors must have in common to be comparable: the model, and the dimension."""

    model: str
    dimension: int


@dataclass(frozen=True, slots=True)
class Point:
    """A passage's number, and its vector in PostgreSQL's notation, which is JSON: `[0.1,0.2]`."""

    number: int
    vector: str


class VectorServer(Protocol):
    """Each method raises VectorServerError. Which project is meant comes from the scope only."""

    async def prepare(self, space: VectorSpace) -> None:
        """Makes what the space's vectors are stored in, unless it exists."""
        ...

    async def write(self, scope: ProjectScope, space: VectorSpace, points: Sequence[Point]) -> None:
        """Stores points, or replaces those with the same number. They can be found once this returns."""
        ...

    async def delete(self, scope: ProjectScope, space: VectorSpace, numbers: Sequence[int]) -> None:
        """Deletes points of the project; a missing one is no error."""
        ...

    async def nearest(self, scope: ProjectScope, space: VectorSpace, vector: str, limit: int) -> list[int]:
        """The numbers of the project's nearest points by cosine similarity, best first."""
        ...

    def numbers(self, scope: ProjectScope, space: VectorSpace) -> AsyncIterator[list[int]]:
        """The numbers of all points of the project, ascending, in batches."""
        ...

    async def projects(self, space: VectorSpace) -> set[UUID]:
        """The projects that have points, as far as the server names them."""
        ...

    async def delete_project(self, project_id: UUID) -> None:
        """Deletes all points of a project that no longer exists, for which there can be no scope."""
        ...

    async def ping(self) -> None: ...

    async def refusal(self) -> str | None:
        """Why the server of the settings cannot be used, in one line. One that cannot be reached now is no reason."""
        ...
