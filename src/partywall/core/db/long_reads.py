"""Reads that may take long: at places and with connections of their own, so that the others never wait behind them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

import asyncpg

from partywall.core.db.read_pool import Connection, ReadPool
from partywall.core.errors import UnavailableError
from partywall.core.recent_use import RecentUse
from partywall.core.tenant import current_tenant
from partywall.core.tenant_semaphore import TenantSemaphore

# In one process; of one account, half of them. Whoever has had them for long of late waits behind the others.
LONG_READS: Final = 4
# PostgreSQL itself ends what takes longer.
LONG_READ_SECONDS: Final = 3
# So many more of one account may wait.
WAITING_EACH: Final = 32


class ReadTimeoutError(UnavailableError):
    code = "read_timeout"
    title = "Reading this took too long"

    def __init__(self) -> None:
        super().__init__("Go on by cursor instead of offset, filter less, or try later.", headers={"Retry-After": "5"})


class LongReadPool(ReadPool):
    """Where nobody waits for an answer any more, its place is taken until PostgreSQL has ended the work on it."""

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
