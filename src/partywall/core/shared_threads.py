"""Threads for work that would block the event loop, shared fairly between tenants."""

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

# After each wait, the event loop needs the interpreter lock again, and a busy thread may keep it this long.
_SWITCH_SECONDS: Final = 0.0005


def shorten_switch_interval() -> None:
    """Makes busy threads yield to this process's event loop sooner than the default 5 ms."""
    sys.setswitchinterval(_SWITCH_SECONDS)


class SharedThreads:
    """A thread pool for one kind of work, shared fairly between tenants.

    Work in a thread cannot be cancelled: a tenant's slot is taken until the thread is free, even if no caller waits for
    the result. With `use`, tenants with much recent use wait behind the others, and one thread stays free for those.
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
        """Returns the result of `work`, or raises its error.

        Raises TooMuchAtOnceError if the tenant has its share, else SharedOutError.
        """
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
            under_way.exception()  # retrieved even if no caller waits for it

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
