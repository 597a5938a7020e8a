"""The pool for transactions, shared fairly between tenants."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry
from sqlalchemy.util import await_only

from partywall.core.tenant import Tenant, current_tenant
from partywall.core.tenant_semaphore import TenantSemaphore

# Connections not needed for this long are closed; each costs PostgreSQL some 4 MB.
UNUSED_SECONDS: Final = 20.0


class PoolDemand:
    """The highest number of connections in use at once, in the current period and the one before."""

    def __init__(self, before: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since = clock()
        self._before, self._now = before, 0

    def note(self, in_use: int) -> None:
        passed = self._clock() - self._since
        if passed >= UNUSED_SECONDS:
            self._before = self._now if passed < 2 * UNUSED_SECONDS else 0
            self._since, self._now = self._clock(), 0
        self._now = max(self._now, in_use)

    @property
    def most(self) -> int:
        return max(self._before, self._now)


class SharedQueuePool(AsyncAdaptedQueuePool):
    """For transactions. A session takes a connection with its first statement and returns it at its end.

    Returning one closes connections that are no longer needed.
    """

    def __init__(
        self, creator: Callable[[], DBAPIConnection], pool_size: int = 5, max_overflow: int = 10, **options: object
    ) -> None:
        super().__init__(creator, pool_size, max_overflow, **options)  # type: ignore[arg-type]  # passed through unchanged
        self.slots = TenantSemaphore(pool_size + max_overflow)
        self.demand = PoolDemand(pool_size)
        self._tenants: dict[ConnectionPoolEntry, Tenant] = {}

    def _do_get(self) -> ConnectionPoolEntry:
        tenant = current_tenant()
        if not self.slots.try_acquire(tenant):
            await_only(self.slots.acquire(tenant))
        try:
            record = super()._do_get()
        except BaseException:
            self.slots.release(tenant)
            raise
        self._tenants[record] = tenant
        self.demand.note(self.checkedout())
        return record

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        tenant = self._tenants.pop(record)  # before any await: another task may take the record then
        try:
            super()._do_return_conn(record)
        finally:
            self.slots.release(tenant)
        self._close_surplus()

    def close_unused(self) -> None:
        """Closes connections that are no longer needed, for an unused pool; keeps one."""
        self.demand.note(max(1, self.checkedout()))
        self._close_surplus()

    def _close_surplus(self) -> None:
        while self.checkedin() and self.checkedin() + self.checkedout() > self.demand.most:
            self._drop(super()._do_get())

    def _drop(self, record: ConnectionPoolEntry) -> None:
        """Closes a connection as the queue does when it is full."""
        try:
            record.close()
        finally:
            self._dec_overflow()
