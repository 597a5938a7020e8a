"""Statements that number pending events; each is a transaction of its own.

A process that stops in between leaves no lock: the database ends the transaction by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple
from uuid import UUID

from partywall.core.db.driver_errors import reported
from partywall.core.db.read_pool import ReadPool
from partywall.core.tenancy import Principal, ProjectScope, make_scope

_NUMBER: Final = "SELECT project_id, role, busy, last, events, jobs FROM wall.number_events($1, $2)"
_PENDING: Final = "SELECT wall.projects_with_pending_events($1, $2) AS project_id"
_CATCH_UP: Final = "SELECT last, events, jobs FROM wall.catch_up_events($1, $2)"


class NumberedEvents(NamedTuple):
    """How many `events` of a project were numbered, and the `last` number, if any. `busy`: another process does it.

    `scope` is None if the project no longer exists. `jobs` says whether jobs were enqueued with the numbers.
    """

    project_id: UUID
    scope: ProjectScope | None
    busy: bool
    last: int | None
    events: int
    jobs: bool


async def number(pool: ReadPool, projects: Sequence[UUID], most: int) -> list[NumberedEvents]:
    """Numbers at most `most` events of each project, plus the rest of their transaction; skips deleted projects."""
    with reported():
        rows = await pool.fetch(_NUMBER, projects, most)
    return [NumberedEvents(row[0], _scope(row[0], row[1]), *row[2:]) for row in map(tuple, rows)]


async def pending(pool: ReadPool, after: UUID, most: int) -> list[UUID]:
    """The next projects with pending events, ordered by id."""
    with reported():
        return [row["project_id"] for row in await pool.fetch(_PENDING, after, most)]


async def catch_up(pool: ReadPool, project_id: UUID, most: int) -> tuple[int, int, bool]:
    """Numbers at most `most` events; waits while another process does it.

    Returns the project's last number, how many were numbered, and whether jobs were enqueued with them.
    """
    with reported():
        [row] = await pool.fetch(_CATCH_UP, project_id, most)
    return row["last"] or 0, row["events"], row["jobs"]


def _scope(project_id: UUID, role: str | None) -> ProjectScope | None:
    return None if role is None else make_scope(project_id, Principal.service(project_id), role)
