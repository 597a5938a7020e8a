"""The worker's statements on the queue: each is one round trip and one transaction.

None reads more than it takes. Waiting lines are found by one index step each, a line's jobs are read in index order,
and rows that another worker is about to take are skipped.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple
from uuid import UUID

import asyncpg

from partywall.core.db.driver_errors import reported
from partywall.core.db.read_pool import ReadPool
from partywall.core.ids import new_id
from partywall.core.jobs.fair_scheduler import WINDOW, ChosenLine, JobLine
from partywall.core.jobs.kinds import Limits

_LINES: Final = "SELECT * FROM wall.job_lines($1, $2, $3, $4, $5, $6)"
_CLAIM: Final = "SELECT * FROM wall.claim_jobs($1, $2, $3, $4)"
_CLAIM_LIMITED: Final = "SELECT * FROM wall.claim_limited_jobs($1, $2, $3, $4, $5, $6)"
_CLAIM_LOST: Final = "SELECT * FROM wall.claim_lost_job($1, $2, $3, $4)"
_SETTLE: Final = "SELECT wall.settle_jobs($1, $2, $3, $4, $5)"
_RENEW: Final = "SELECT wall.renew_jobs($1, $2)"
_RUN_SCHEDULES: Final = "SELECT wall.fire_schedules($1, $2, $3)"


class ClaimedJob(NamedTuple):
    """A counted attempt at a job, with its `lease`; `account` is the account whose share it uses, in a project."""

    id: int
    kind: str
    project: UUID
    account: UUID | None
    payload: str
    attempt: int
    lease: UUID

    @property
    def whose(self) -> UUID:
        """The account of the line that it was taken from."""
        return self.account or self.project


class JobResult(NamedTuple):
    """The result of an attempt: without `state` the job is done, otherwise it gets that state and is due after `pause`.

    With `again` it becomes a new job: without attempts, at the end of its line.
    """

    id: int
    lease: UUID
    state: Literal["waiting", "delayed", "again", "dead_letter"] | None = None
    pause: timedelta = timedelta()
    error: str | None = None


class QueueState(NamedTuple):
    """The waiting lines, and the time until the next job is due and until the next one counts as lost, if any."""

    lines: list[JobLine]
    due_in: timedelta | None
    lost_in: timedelta | None


@dataclass(frozen=True, slots=True)
class JobStore:
    """`limits` are for the kinds that have any."""

    pool: ReadPool
    limits: Mapping[str, Limits] = field(default_factory=dict)

    async def look(self, asked: Mapping[str, UUID], silent: timedelta) -> QueueState:
        """Which projects have waiting jobs of these kinds, starting from the given ones; due jobs become waiting.

        Leaves out projects and accounts at their limit. A job is lost when its worker sent no heartbeat for `silent`.
        """
        limits = self._limits_of(asked)
        *lines, last = await self._fetch(_LINES, list(asked), list(asked.values()), WINDOW, silent, *limits)
        return QueueState([JobLine(*row[:3]) for row in lines], last["due_in"], last["lost_in"])

    async def take(self, chosen: Sequence[ChosenLine]) -> list[ClaimedJob]:
        """Claims the first jobs of these lines; fewer if limits are reached."""
        limited = [each for each in chosen if each.kind in self.limits]
        free = [each for each in chosen if each.kind not in self.limits]
        taken = await self._fetch(_CLAIM, *_columns(free), new_id()) if free else []
        if limited:
            limits = self._limits_of(each.kind for each in limited)
            taken += await self._fetch(_CLAIM_LIMITED, *_columns(limited), *limits, new_id())
        return [ClaimedJob(*row) for row in taken]

    async def claim_lost(self, kinds: Collection[str], silent: timedelta, held: Collection[int]) -> list[ClaimedJob]:
        """Claims a job whose worker sent no heartbeat for `silent`, if there is one that this worker does not hold."""
        return [ClaimedJob(*row) for row in await self._fetch(_CLAIM_LOST, list(kinds), silent, list(held), new_id())]

    async def renew(self, held: Collection[ClaimedJob]) -> None:
        """Sends the heartbeat for these jobs, so that no other worker takes them over."""
        await self._fetch(_RENEW, [job.id for job in held], [job.lease for job in held])

    async def settle(self, ended: Sequence[JobResult]) -> None:
        await self._fetch(_SETTLE, *_columns(ended))

    async def fire(self, ticks: Mapping[str, datetime], kind: str) -> None:
        """Enqueues a job of this kind for each schedule; over all workers at most one for each tick."""
        await self._fetch(_RUN_SCHEDULES, list(ticks), list(ticks.values()), kind)

    def _limits_of(self, kinds: Iterable[str]) -> tuple[list[int | None], list[int | None]]:
        limits = [self.limits.get(kind) for kind in kinds]
        return [each and each.each_project for each in limits], [each and each.each_account for each in limits]

    async def _fetch(self, sql: str, *values: object) -> list[asyncpg.Record]:
        with reported():
            return await self.pool.fetch(sql, *values)


def _columns(rows: Sequence[tuple[object, ...]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]
