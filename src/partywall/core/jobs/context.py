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

# One statement, because it is frequent: it opens the scope, checks the lease and appends, in this order.
_RECORD_EVENT: Final = """
    WITH entered AS MATERIALIZED (SELECT wall.open_shared_scope($1, $2) AS role), own_job AS MATERIALIZED (
        SELECT job.id FROM job, entered
        WHERE job.id = $4 AND job.lease = $5 AND entered.role IS NOT NULL FOR SHARE OF job
    )
    SELECT entered.role, own_job.id AS job, wall.append_events($2, $1, $3::jsonb) AS appended FROM entered, own_job
    UNION ALL
    SELECT entered.role, NULL, NULL FROM entered WHERE NOT EXISTS (SELECT FROM own_job)
"""
_OWNS_LEASE: Final = text("SELECT lease = :lease FROM job WHERE id = :job FOR SHARE")


class LeaseLostError(Exception):
    """Another worker has taken over the job; this attempt's transaction is rolled back."""


class AnotherAttemptError(Exception):
    """Raised by a handler to have the job run again after a pause, although nothing has failed.

    The pause is `after`, or else grows with the attempts.
    """

    def __init__(self, reason: str, after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.after = after


def _nothing() -> None: ...


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class JobContext:
    """What a handler gets. `attempt` counts from 1, including crashed attempts; `last` means that no other follows.

    `lease` belongs to this attempt and fences its writes, also against a later attempt of the same worker.

    `stopping` is set when the worker stops: long jobs should then end early and run again elsewhere.
    `crowded` says that all slots are taken and an account without any waits for one: long jobs should then end soon,
    to be run once more. `account` is the account whose share the job uses.
    Handlers call `progressed` after storing a part of their work: the job is then past the point where its worker
    crashed, and other quarantined jobs need not wait for its end.
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
        """A transaction in the job's project. It commits only while this attempt holds the lease.

        Raises ProjectNotFoundError if the principal has lost access since the job was enqueued.
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
        """Appends events in a transaction of its own, fenced like `begin`, in one round trip."""
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
        await self.resources.sequencer.announce(scope, row["appended"])

    async def call(self, payload: ProjectJobPayload, sql: str, roles: Sequence[Role], *values: Value) -> ProjectScope:
        """A transaction in one round trip: `sql` calls a function that opens the scope, checks role and lease, writes.

        Its parameters are principal, project, `roles`, job and lease, then `values`. It returns the principal's role
        (`role`), whether the attempt still has the lease (`owns_lease`), and how many events it `appended`.
        Without one of `roles` it writes nothing; the caller must check the role of the returned scope.
        """
        principal = payload.acting
        proofs = (str(principal), payload.project_id, roles, self.job_id, self.lease)
        with reported():
            row = await self.resources.reads.fetchrow(sql, *proofs, *values)
        scope = make_scope(payload.project_id, principal, None if row is None else row["role"])
        assert row is not None
        if scope.role in roles and not row["owns_lease"]:
            raise LeaseLostError(f"job {self.job_id} belongs to another worker now")
        if row["appended"] is not None:
            await self.resources.sequencer.announce(scope, row["appended"])
        return scope

    async def _fence(self, session: AsyncSession) -> None:
        if not await session.scalar(_OWNS_LEASE, {"lease": self.lease, "job": self.job_id}):
            raise LeaseLostError(f"job {self.job_id} belongs to another worker now")
