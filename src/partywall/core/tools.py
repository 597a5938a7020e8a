"""Tools that a feature offers to agents, in one project and with the caller's rights."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import anyio

from partywall.core.db.scopes import open_scope, open_shared_scope
from partywall.core.db.session import AsyncReadSession, AsyncSession
from partywall.core.resources import Resources
from partywall.core.schemas import RequestModel, ResponseModel
from partywall.core.tenancy import Principal, ProjectScope, SharedScope


@dataclass(frozen=True, slots=True)
class ToolCall:
    """Who calls a tool, and in which project. Holds nothing open."""

    resources: Resources
    principal: Principal
    project_id: UUID

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[tuple[AsyncReadSession, ProjectScope]]:
        async with self.resources.sessions.read() as session:
            yield session, await open_scope(session, self.principal, self.project_id)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[tuple[AsyncSession, SharedScope]]:
        """A transaction, shielded from cancellation: it completes even if the client disconnects."""
        with anyio.CancelScope(shield=True):
            async with self.resources.sessions.begin() as session:
                yield session, await open_shared_scope(session, self.principal, self.project_id, accepting=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectTool[I: RequestModel, O: ResponseModel]:
    """A tool. The model reads `title`, `description` and the types; `work` checks the rights."""

    name: str
    title: str
    description: str
    input: type[I]
    output: type[O]
    work: Callable[[ToolCall, I], Awaitable[O]]
    reads: bool = True
    destroys: bool = False


type AnyTool = ProjectTool[RequestModel, ResponseModel]
