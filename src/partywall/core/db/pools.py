"""The pool for transactions, shared fairly between the tenants whose work takes its connections."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry
from sqlalchemy.util import await_only

from partywall.core.tenant import Tenant, current_tenant
from partywall.core.tenant_semaphore import TenantSemaphore


class SharedQueuePool(AsyncAdaptedQueuePool):
    """For transactions. A connection is taken with a session's first statement and given back at its end."""

    def __init__(
        self, creator: Callable[[], DBAPIConnection], pool_size: int = 5, max_overflow: int = 10, **options: object
    ) -> None:
        super().__init__(creator, pool_size, max_overflow, **options)  # type: ignore[arg-type]  # passed through as they came
        self.places = TenantSemaphore(pool_size + max_overflow)
        self._tenants: dict[ConnectionPoolEntry, Tenant] = {}

    def _do_get(self) -> ConnectionPoolEntry:
        tenant = current_tenant()
        if not self.places.try_acquire(tenant):
            await_only(self.places.acquire(tenant))
        try:
            record = super()._do_get()
        except BaseException:
            self.places.release(tenant)
            raise
        self._tenants[record] = tenant
        return record

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        super()._do_return_conn(record)
        self.places.release(self._tenants.pop(record))
