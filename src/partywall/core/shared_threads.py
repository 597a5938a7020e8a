from __future__ import annotations

import asyncio
import functools
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from partywall.core.recent_use import RecentUse
from partywall.core.tenant import Tenant, current_tenant
from partywall.core.tenant_semaphore import MAX_WAIT_SECONDS, TenantSemaphore

# An event loop that has waited asks for the interpreter again after each wait, and a busy thread keeps it for so long.
_SWITCH_SECONDS: Final = 0.0005


def let_the_loop_in() -> None:
    """For this process: threads that work do not keep its event loop waiting for the usual 5 ms each time."""
    sys.setswitchinterval(_SWITCH_SECONDS)


class SharedThreads:
    """Threads of their own for one kind of work, shared between tenants.

    Work in a thread cannot be broken off: a tenant's place is taken until its thread is free again, whether somebody
    still waits for what it answers or not. With `use`, whoever has kept threads busy of late waits behind the others,
    and a thread is left to them.
    """

    def __init__(
        self,
        name: str,
        threads: int,
        *,
        each: int,
        waiting: int,
        max_wait: float | None = MAX_WAIT_SECONDS,
        use: RecentUse | None = None,
    ) -> None:
        self._threads: Final = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self.slots: Final = TenantSemaphore(
            threads, each=each, waiting=waiting, max_wait=max_wait, background_waits=True, use=use
        )
        self._use: Final = use

    async def run[T](self, work: Callable[[], T], tenant: Tenant | None = None) -> T:
        """Raises what the work does, TooMuchAtOnceError where the tenant has its share, or SharedOutError."""
        tenant = tenant or current_tenant()
        await self.slots.acquire(tenant)
        try:
            under_way = asyncio.get_running_loop().run_in_executor(self._threads, work)
        except BaseException:
            self.slots.release(tenant)
            raise
        under_way.add_done_callback(functools.partial(self._done, tenant, time.monotonic()))
        return await asyncio.shield(under_way)

    def _done(self, tenant: Tenant, began: float, under_way: asyncio.Future[object]) -> None:
        if self._use is not None:
            self._use.add(tenant.name, time.monotonic() - began)
        self.slots.release(tenant)
        if not under_way.cancelled():
            under_way.exception()  # also where nobody waits for it any more

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
