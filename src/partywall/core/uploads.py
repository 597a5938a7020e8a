from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Final

from partywall.core.tenant import Tenant
from partywall.core.tenant_semaphore import TenantSemaphore

# Each may be in memory as a whole, and its text be waiting for a process.
LARGE_AT_ONCE: Final = 4
# Each may keep a thread for a moment.
SMALL_AT_ONCE: Final = 8
EACH: Final = 2
# Who has waited so long is told to come back: 429 for their own uploads, 503 for those of others.
PATIENCE_SECONDS: Final = 10.0


class Uploads:
    """Those that are read and stored at the same time. What is small waits for nobody's large file."""

    def __init__(self) -> None:
        self._large = TenantSemaphore(LARGE_AT_ONCE, each=EACH, patience=PATIENCE_SECONDS)
        self._small = TenantSemaphore(SMALL_AT_ONCE, each=EACH, patience=PATIENCE_SECONDS)

    def hold(self, tenant: Tenant, *, small: bool) -> AbstractAsyncContextManager[None]:
        return (self._small if small else self._large).hold(tenant)
