"""Who calls a tool, and in which project."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

from partywall.core.db.scoped_access import ScopedReader
from partywall.core.db.session import AsyncReadSession
from partywall.core.lazy import Lazy
from partywall.core.resources import Resources
from partywall.core.security.authentication import VerifiedCredential
from partywall.core.tenancy import Principal, ProjectScope
from partywall.core.tools import AnyTool, ToolCall
from partywall.features.runs.dependencies import get_run_service
from partywall.features.runs.service import RunService


@dataclass(frozen=True, slots=True)
class Caller:
    """The principal that calls tools, and the project. Holds nothing open: every call opens its own scope."""

    resources: Resources
    principal: Principal
    project_id: UUID
    request_id: str
    traceparent: str | None
    token: str = field(repr=False)
    # References to the tools of installed features.
    installed: tuple[Lazy[Sequence[AnyTool]], ...] = ()

    @property
    def tool_call(self) -> ToolCall:
        return ToolCall(self.resources, self.principal, self.project_id)

    @property
    def reader(self) -> ScopedReader:
        return self.resources.reader(self.principal)

    def reading(self) -> AbstractAsyncContextManager[tuple[AsyncReadSession, ProjectScope]]:
        return self.tool_call.reading()

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[RunService]:
        """A transaction; it completes even if the client disconnects."""
        async with self.tool_call.writing() as (session, scope):
            yield await get_run_service(session, scope, self.resources)

    async def verified(self) -> VerifiedCredential:
        """The credential with its expiry, for calls that wait; raises NotAuthenticatedError."""
        return await self.resources.authenticator.verify(self.token)
