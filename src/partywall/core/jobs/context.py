from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import text

from partywall.core.db.availability import reported
from partywall.core.db.scoped_read import Value
from partywall.core.db.session import AsyncReadSession, AsyncSession, before_commit
from partywall.core.events.log import EventDraft, event_drafts_json
from partywall.core.jobs.kinds import ProjectJobPayload
from partywall.core.jobs.models import NO_PROJECT
from partywall.core.resources import Resources
from partywall.core.tenancy import ProjectScope, Role, make_scope, open_scope, open_shared_scope

# One statement, for what is small and frequent: it enters, proves the lease and appends, in this order.
_RECORD_EVENT: Final = """
    WITH entered AS MATERIALIZED (SELECT wall.open_shared_scope($1, $2) AS role), ours AS MATERIALIZED (
        SELECT job.id FROM job, entered
        WHERE job.id = $4 AND job.lease = $5 AND entered.role IS NOT NULL FOR SHARE OF job
    )
    SELECT entered.role, ours.id AS job, wall.append_events($2, $1, $3::jsonb) AS last FROM entered, ours
    UNION ALL
    SELECT entered.role, NULL, NULL FROM entered WHERE NOT EXISTS (SELECT FROM ours)
"""
_STILL_OURS: Final = text("SELECT lease = :lease FROM job WHERE id = :job FOR SHARE")


class LeaseLostError(Exception):
    """Another worker has taken the job over; what this one did is rolled back."""


class AnotherAttemptError(Exception):
    """What a handler raises for the job to be run again after a pause, without anything having failed in it.

    The pause grows with the attempts, unless `after` says how long it is.
    """

    def __init__(self, reason: str, after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.after = after


def _nothing() -> None: ...


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class JobContext:
    """What a handler is given. `attempt` counts from 1, crashes included; `last` says that no other will follow.

    `lease` is the attempt's own: what is written under it is fenced by it, also against a later attempt of this worker.

    `stopping` is set when the worker is to end: what takes long had better leave off then, and be run again elsewhere.
    `crowded` says that an account waits for a place that has none, and all are taken: then a job that may be long had
    better end soon, to be run once more. `account` is whose share the job takes.
    `progressed` is called by who keeps what it has done, for each piece of it: a worker that was lost with the job was
    lost at something else then, and what was lost with it need no longer wait for this job's end.
    """

    resources: Resources
    lease: UUID
    job_id: int
    attempt: int
    last: bool
    account: UUID = NO_PROJECT
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    progressed: Callable[[], None] = _nothing
    crowded: Callable[[], bool] = _never

    @asynccontextmanager
    async def begin(self, payload: ProjectJobPayload) -> AsyncIterator[tuple[AsyncSession, ProjectScope]]:
        """A transaction inside the job's project, fenced by the lease: it commits only while the job is still ours.

        Raises ProjectNotFoundError where the principal lost its right since the job was enqueued.
        """
        async with self.resources.sessions.begin() as session:
            scope = await open_shared_scope(session, payload.acting, payload.project_id)
            before_commit(session, self._fence)
            yield session, scope

    @asynccontextmanager
    async def read(self, payload: ProjectJobPayload) -> AsyncIterator[tuple[AsyncReadSession, ProjectScope]]:
        async with self.resources.sessions.read() as session:
            yield session, await open_scope(session, payload.acting, payload.project_id)

    async def record_event(self, payload: ProjectJobPayload, *event_drafts: EventDraft) -> None:
        """Appends news in a transaction of its own that is fenced like `begin`, in one round trip."""
        principal = payload.acting
        with reported():
            row = await self.resources.reads.fetchrow(
                _RECORD_EVENT,
                str(principal),
                payload.project_id,
                event_drafts_json(event_drafts),
                self.job_id,
                self.lease,
            )
        scope = make_scope(payload.project_id, principal, None if row is None else row["role"])
        assert row is not None
        if row["job"] is None:
            raise LeaseLostError(f"job {self.job_id} belongs to another worker now")
        await self.resources.sequencer.announce(scope, row["last"])

    async def call(self, payload: ProjectJobPayload, sql: str, roles: Sequence[Role], *values: Value) -> ProjectScope:
        """A transaction in one round trip: `sql` calls a function that enters, proves role and lease, and writes.

        Its parameters are principal, project, `roles`, job and lease, and then `values`; it answers the role that it
        found (`held`), whether the job is still `ours`, and the number of the `last` event that it has appended.
        Without one of `roles` nothing is written, which is for the caller to refuse.
        """
        principal = payload.acting
        proofs = (str(principal), payload.project_id, roles, self.job_id, self.lease)
        with reported():
            row = await self.resources.reads.fetchrow(sql, *proofs, *values)
        scope = make_scope(payload.project_id, principal, None if row is None else row["held"])
        assert row is not None
        if scope.role in roles and not row["ours"]:
            raise LeaseLostError(f"job {self.job_id} belongs to another worker now")
        if row["last"] is not None:
            await self.resources.sequencer.announce(scope, row["last"])
        return scope

    async def _fence(self, session: AsyncSession) -> None:
        if not await session.scalar(_STILL_OURS, {"lease": self.lease, "job": self.job_id}):
            raise LeaseLostError(f"job {self.job_id} belongs to another worker now")
