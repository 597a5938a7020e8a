from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import text

from partywall.core.db.scoped_query import ScopedQuery, Value
from partywall.core.db.scopes import open_scope, open_shared_scope
from partywall.core.db.session import AsyncReadSession, AsyncSession, before_commit
from partywall.core.events.log import EventDraft, event_drafts_json
from partywall.core.jobs.models import NO_PROJECT
from partywall.core.jobs.payloads import ProjectJobPayload
from partywall.core.resources import Resources
from partywall.core.tenancy import ProjectScope, Role, SharedScope

# Frequent, hence in one round trip: it opens the scope, checks the lease and appends, in this order.
_RECORD_EVENT: Final = ScopedQuery.text("""
    WITH entered AS MATERIALIZED (SELECT wall.open_shared_scope(:principal, :project_id) AS wall_role),
    own_job AS MATERIALIZED (
        SELECT job.id FROM job, entered
        WHERE job.id = :job AND job.lease = :lease AND entered.wall_role IS NOT NULL FOR SHARE OF job
    )
    SELECT entered.wall_role, true AS owns_lease,
        wall.append_events(:project_id, :principal, CAST(:events AS jsonb)) AS wall_appended
    FROM entered, own_job
    UNION ALL
    SELECT entered.wall_role, false, NULL FROM entered WHERE NOT EXISTS (SELECT FROM own_job)
""")
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
    async def begin(self, payload: ProjectJobPayload) -> AsyncIterator[tuple[AsyncSession, SharedScope]]:
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
        await self.run(payload, _RECORD_EVENT, list(Role), {"events": event_drafts_json(event_drafts)})

    async def run(
        self, payload: ProjectJobPayload, query: ScopedQuery, roles: Sequence[Role], values: Mapping[str, Value]
    ) -> ProjectScope:
        """A transaction in one round trip: the query opens the scope, checks role and lease, and writes.

        It gets `job` and `lease`, and returns whether the attempt still holds the lease (`owns_lease`). Without one of
        `roles` it writes nothing; the caller must check the role of the returned scope.
        """
        fence: dict[str, Value] = {"job": self.job_id, "lease": self.lease}
        writer = self.resources.writer(payload.acting)
        scope, row = await writer.row(query, payload.project_id, roles, {**fence, **values})
        if scope.role in roles and not row["owns_lease"]:
            raise LeaseLostError(f"job {self.job_id} belongs to another worker now")
        return scope

    async def _fence(self, session: AsyncSession) -> None:
        if not await session.scalar(_OWNS_LEASE, {"lease": self.lease, "job": self.job_id}):
            raise LeaseLostError(f"job {self.job_id} belongs to another worker now")
