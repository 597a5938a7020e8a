"""What is pending gets its numbers, in one statement that is a transaction of its own.

A process that stops in the middle holds nothing: the server ends the transaction without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple
from uuid import UUID

from partywall.core.db.availability import reported
from partywall.core.db.read_pool import ReadPool
from partywall.core.tenancy import Principal, ProjectScope, make_scope

_NUMBER: Final = "SELECT project_id, role, busy, last, events, jobs FROM wall.number_events($1, $2)"
_PENDING: Final = "SELECT wall.projects_with_pending_events($1, $2) AS project_id"
_CATCH_UP: Final = "SELECT last, events, jobs FROM wall.catch_up_events($1, $2)"


class NumberedEvents(NamedTuple):
    """How many events of a project have got a number, and the `last` of these, if any; or that another one is at it.

    `scope` is None where nobody may enter the project any more. `jobs` says that some were asked for with the numbers.
    """

    project_id: UUID
    scope: ProjectScope | None
    busy: bool
    last: int | None
    events: int
    jobs: bool


async def number(pool: ReadPool, projects: Sequence[UUID], most: int) -> list[NumberedEvents]:
    """Of each project at most `most` events, and the rest of their transaction; nothing of one that is gone."""
    with reported():
        rows = await pool.fetch(_NUMBER, projects, most)
    return [NumberedEvents(row[0], _scope(row[0], row[1]), *row[2:]) for row in map(tuple, rows)]


async def pending(pool: ReadPool, after: UUID, most: int) -> list[UUID]:
    """The next projects, by their ids, in which something is pending."""
    with reported():
        return [row["project_id"] for row in await pool.fetch(_PENDING, after, most)]


async def catch_up(pool: ReadPool, project_id: UUID, most: int) -> tuple[int, int, bool]:
    """Numbers at most `most` events, after whoever is at it.

    The project's last number, how many were numbered, and whether jobs were asked for with them.
    """
    with reported():
        [row] = await pool.fetch(_CATCH_UP, project_id, most)
    return row["last"] or 0, row["events"], row["jobs"]


def _scope(project_id: UUID, role: str | None) -> ProjectScope | None:
    return None if role is None else make_scope(project_id, Principal.service(project_id), role)
