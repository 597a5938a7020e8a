from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from partywall.core.db.session import AsyncReadSession, AsyncSession
from partywall.core.jobs.kinds import ProjectJobPayload
from partywall.core.resources import Resources
from partywall.core.tenancy import ProjectScope, enter_project


@dataclass(frozen=True, slots=True)
class JobContext:
    """What a handler is given. `attempt` counts from 1, crashes included; `last` says that no other will follow."""

    resources: Resources
    job_id: int
    attempt: int
    last: bool

    @asynccontextmanager
    async def begin(self, payload: ProjectJobPayload) -> AsyncIterator[tuple[AsyncSession, ProjectScope]]:
        """A transaction inside the job's project; raises ProjectNotFoundError where the principal lost its right."""
        async with self.resources.sessions.begin() as session:
            yield session, await enter_project(session, payload.acting, payload.project_id)

    @asynccontextmanager
    async def read(self, payload: ProjectJobPayload) -> AsyncIterator[tuple[AsyncReadSession, ProjectScope]]:
        async with self.resources.sessions.read() as session:
            yield session, await enter_project(session, payload.acting, payload.project_id)
