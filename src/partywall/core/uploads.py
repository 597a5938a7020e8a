from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Final

from partywall.core.recent_use import RecentUse
from partywall.core.tenant import Tenant
from partywall.core.tenant_semaphore import TenantSemaphore

# Each may be in memory as a whole, and its text be waiting for a process.
LARGE_AT_ONCE: Final = 4
LARGE_EACH: Final = 1
# Each may keep a thread for a moment.
SMALL_AT_ONCE: Final = 8
SMALL_EACH: Final = 2


class Uploads:
    """Those that are read and stored at the same time. What is small waits for nobody's large file.

    Whoever has waited for `max_wait` seconds is told to come back: 429 for their own uploads, 503 for those of others.
    A large file keeps its place while a process reads it: whoever has used those for long has fewer here too.
    """

    def __init__(self, use: RecentUse, max_wait: float) -> None:
        self._large = TenantSemaphore(LARGE_AT_ONCE, each=LARGE_EACH, max_wait=max_wait, use=use)
        self._small = TenantSemaphore(SMALL_AT_ONCE, each=SMALL_EACH)

    def hold(self, tenant: Tenant, *, small: bool) -> AbstractAsyncContextManager[None]:
        return (self._small if small else self._large).hold(tenant)
