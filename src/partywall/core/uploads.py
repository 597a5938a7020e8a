"""Limits how many uploads are read at once."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Final

from partywall.core.recent_use import RecentUse
from partywall.core.tenant import Tenant
from partywall.core.tenant_semaphore import TenantSemaphore

# Each may be in memory as a whole, with its text waiting for a process.
LARGE_AT_ONCE: Final = 4
LARGE_EACH: Final = 1
# Each may use a thread for a moment.
SMALL_AT_ONCE: Final = 8
SMALL_EACH: Final = 2


class Uploads:
    """Limits uploads that are read and stored at once. Small files never wait for large ones.

    After `max_wait` seconds the client gets 429 if its own uploads fill the slots, else 503. A large file keeps its
    slot while a text process reads it, so tenants with much recent use of those get fewer slots here too.
    """

    def __init__(self, use: RecentUse, max_wait: float) -> None:
        self._large = TenantSemaphore(LARGE_AT_ONCE, each=LARGE_EACH, max_wait=max_wait, use=use)
        self._small = TenantSemaphore(SMALL_AT_ONCE, each=SMALL_EACH)

    def hold(self, tenant: Tenant, *, small: bool) -> AbstractAsyncContextManager[None]:
        return (self._small if small else self._large).hold(tenant)
