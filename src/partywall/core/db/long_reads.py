"""Reads that may take long. They have their own slots and connections, so that other reads never wait for them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

import asyncpg

from partywall.core.db.constants import LONG_READS
from partywall.core.db.read_pool import Connection, ReadPool
from partywall.core.errors import UnavailableError
from partywall.core.recent_use import RecentUse
from partywall.core.tenant import current_tenant
from partywall.core.tenant_semaphore import TenantSemaphore

# PostgreSQL cancels longer statements.
LONG_READ_SECONDS: Final = 3
# How many more of one account may wait.
WAITING_EACH: Final = 32


class ReadTimeoutError(UnavailableError):
    code = "read_timeout"
    title = "Reading this took too long"

    def __init__(self) -> None:
        super().__init__("Page by cursor instead of offset, filter less, or try later.", headers={"Retry-After": "5"})


class LongReadPool(ReadPool):
    """Accounts with much recent use wait behind the others.

    When a caller stops waiting, its slot stays taken until PostgreSQL has ended the statement.
    """

    def __init__(self, connect: Callable[[], Awaitable[Connection]]) -> None:
        self.use = RecentUse()
        super().__init__(connect, TenantSemaphore(LONG_READS, each=LONG_READS // 2, waiting=WAITING_EACH, use=self.use))

    async def _with_one[Answer](self, ask: Callable[[Connection], Awaitable[Answer]]) -> Answer:
        connection = await self._take()
        began, still = time.monotonic(), 0.0
        try:
            return await ask(connection)
        except asyncpg.QueryCanceledError as error:
            raise ReadTimeoutError from error
        except (asyncio.CancelledError, TimeoutError):
            connection.terminate()
            still = max(0.0, LONG_READ_SECONDS - (time.monotonic() - began))
            raise
        finally:
            self.use.add(current_tenant().name, time.monotonic() - began + still)
            if still:
                asyncio.get_running_loop().call_later(still, self._release, connection)
            else:
                self._release(connection)
