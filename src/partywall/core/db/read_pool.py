"""The pool for reads, shared fairly between tenants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import asyncpg

from partywall.core.db.pools import UNUSED_SECONDS
from partywall.core.tenant import Tenant, current_tenant
from partywall.core.tenant_semaphore import TenantSemaphore

type Connection = asyncpg.Connection[asyncpg.Record]


class ReadPool:
    """For single statements that need no transaction of their own.

    An autocommitted statement leaves no state behind, so connections are not reset. A reset, and the task that
    asyncpg's pool starts for it, would cost as much as the statement.
    """

    def __init__(
        self, connect: Callable[[], Awaitable[Connection]], slots: TenantSemaphore, long: ReadPool | None = None
    ) -> None:
        self.slots = slots
        # For reads that may take long.
        self.long: ReadPool = long or self
        self._connect = connect
        # A stack: the first ones are those that a quiet process does not need.
        self._idle: list[Connection] = []
        self._used: dict[Connection, Tenant] = {}
        self._fewest_idle = 0
        self._timer: asyncio.TimerHandle | None = None
        self._is_open = False

    async def open(self, *, connected: bool = True) -> None:
        """Opens the first connection, so that a wrong address fails at once; not if `connected` is false."""
        self._is_open = True
        if connected:
            self._idle.append(await self._connect())
        if self.long is not self:
            await self.long.open(connected=False)
        self._close_unused_later()

    def terminate(self) -> None:
        self._is_open = False
        if self.long is not self:
            self.long.terminate()
        if self._timer is not None:
            self._timer.cancel()
        for connection in [*self._idle, *self._used]:
            connection.terminate()
        self._idle.clear()

    async def fetchrow(self, query: str, *args: object, timeout: float | None = None) -> asyncpg.Record | None:  # noqa: ASYNC109 - asyncpg's signature
        return await self._with_one(lambda connection: connection.fetchrow(query, *args, timeout=timeout))

    async def fetch(self, query: str, *args: object, timeout: float | None = None) -> list[asyncpg.Record]:  # noqa: ASYNC109 - asyncpg's signature
        return await self._with_one(lambda connection: connection.fetch(query, *args, timeout=timeout))

    async def fetchval(self, query: str, *args: object, timeout: float | None = None) -> object:  # noqa: ASYNC109 - asyncpg's signature
        """The first column of the first row."""
        row = await self.fetchrow(query, *args, timeout=timeout)
        return None if row is None else row[0]

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Connection]:
        """A connection for several statements. It is not reset, so the caller may leave no state in it."""
        connection = await self._take()
        try:
            yield connection
        except (asyncio.CancelledError, TimeoutError):
            connection.terminate()
            raise
        finally:
            self._release(connection)

    async def _with_one[Answer](self, ask: Callable[[Connection], Awaitable[Answer]]) -> Answer:
        """Does not use `acquire`, whose context manager costs more for a single statement."""
        connection = await self._take()
        try:
            return await ask(connection)
        except (asyncio.CancelledError, TimeoutError):
            connection.terminate()  # its answer is still pending
            raise
        finally:
            self._release(connection)

    def close_idle(self) -> None:
        """Closes idle connections; those in use stay."""
        if self.long is not self:
            self.long.close_idle()
        for connection in self._idle:
            connection.terminate()
        self._idle.clear()

    async def _take(self) -> Connection:
        tenant = current_tenant()
        if not self.slots.try_acquire(tenant):
            await self.slots.acquire(tenant)
        try:
            connection = self._take_idle() or await self._connect()
        except BaseException:
            self.slots.release(tenant)
            raise
        self._used[connection] = tenant
        return connection

    def _take_idle(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            self._fewest_idle = min(self._fewest_idle, len(self._idle))
            if not connection.is_closed():
                return connection
        return None

    def _release(self, connection: Connection) -> None:
        tenant = self._used.pop(connection)
        if not self._is_open:
            connection.terminate()
        elif not connection.is_closed():
            self._idle.append(connection)
        self.slots.release(tenant)

    def _close_unused_later(self) -> None:
        self._fewest_idle = len(self._idle)
        self._timer = asyncio.get_running_loop().call_later(UNUSED_SECONDS, self._close_unused)

    def _close_unused(self) -> None:
        """Closes as many connections as were idle the whole time since the last call; keeps one."""
        unused = min(self._fewest_idle, len(self._idle) - 1)
        for connection in self._idle[: max(unused, 0)]:
            connection.terminate()
        del self._idle[: max(unused, 0)]
        self._close_unused_later()
