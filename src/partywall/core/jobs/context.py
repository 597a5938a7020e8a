"""What a job's handler works with: its attempt, and transactions that commit only while it holds the job's lease."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from partywall.core.db.scoped_query import ScopedQuery, Value
from partywall.core.db.scopes import open_scope, open_shared_scope
from partywall.core.db.session import AsyncReadSession, AsyncSession, before_commit
from partywall.core.events.log import EventDraft, event_drafts_json
from partywall.core.jobs.lease import RECORD_EVENT, JobLease
from partywall.core.jobs.models import NO_PROJECT
from partywall.core.jobs.payloads import ProjectJobPayload
from partywall.core.resources import Resources
from partywall.core.tenancy import ProjectScope, Role, SharedScope


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
            before_commit(session, self._own_lease.require)
            yield session, scope

    @asynccontextmanager
    async def read(self, payload: ProjectJobPayload) -> AsyncIterator[tuple[AsyncReadSession, ProjectScope]]:
        async with self.resources.sessions.read() as session:
            yield session, await open_scope(session, payload.acting, payload.project_id)

    async def record_event(self, payload: ProjectJobPayload, *event_drafts: EventDraft) -> None:
        """Appends events in a transaction of its own, fenced like `begin`, in one round trip."""
        await self.run(payload, RECORD_EVENT, list(Role), {"events": event_drafts_json(event_drafts)})

    async def run(
        self, payload: ProjectJobPayload, query: ScopedQuery, roles: Sequence[Role], values: Mapping[str, Value]
    ) -> ProjectScope:
        """A transaction in one round trip: the query opens the scope, checks role and lease, and writes.

        It gets `job` and `lease`, and returns whether the attempt still holds the lease (`owns_lease`). Without one of
        `roles` it writes nothing; the caller must check the role of the returned scope.
        """
        lease = self._own_lease
        writer = self.resources.writer(payload.acting)
        scope, row = await writer.row(query, payload.project_id, roles, {**lease.parameters, **values})
        if scope.role in roles and not row["owns_lease"]:
            raise lease.lost()
        return scope

    @property
    def _own_lease(self) -> JobLease:
        return JobLease(self.job_id, self.lease)
