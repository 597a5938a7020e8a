from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import text

from partywall.core.db.session import AsyncReadSession, AsyncSession, before_commit
from partywall.core.jobs.kinds import ProjectJobPayload
from partywall.core.resources import Resources
from partywall.core.tenancy import ProjectScope, enter_project, enter_to_write

_STILL_OURS: Final = text("SELECT queue_manager_id = :worker FROM pgqueuer WHERE id = :job FOR SHARE")


class LeaseLostError(Exception):
    """Another worker has taken the job over; what this one did is rolled back."""


@dataclass(frozen=True, slots=True)
class JobContext:
    """What a handler is given. `attempt` counts from 1, crashes included; `last` says that no other will follow."""

    resources: Resources
    worker: UUID
    job_id: int
    attempt: int
    last: bool

    @asynccontextmanager
    async def begin(self, payload: ProjectJobPayload) -> AsyncIterator[tuple[AsyncSession, ProjectScope]]:
        """A transaction inside the job's project, fenced by the lease: it commits only while the job is still ours.

        Raises ProjectNotFoundError where the principal lost its right since the job was enqueued.
        """
        async with self.resources.sessions.begin() as session:
            scope = await enter_to_write(session, payload.acting, payload.project_id)
            before_commit(session, self._fence)
            yield session, scope

    @asynccontextmanager
    async def read(self, payload: ProjectJobPayload) -> AsyncIterator[tuple[AsyncReadSession, ProjectScope]]:
        async with self.resources.sessions.read() as session:
            yield session, await enter_project(session, payload.acting, payload.project_id)

    async def _fence(self, session: AsyncSession) -> None:
        if not await session.scalar(_STILL_OURS, {"worker": self.worker, "job": self.job_id}):
            raise LeaseLostError(f"job {self.job_id} belongs to another worker now")
