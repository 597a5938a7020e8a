from __future__ import annotations

import asyncio
import functools
import socket
from collections.abc import Awaitable, Callable, Hashable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from partywall.core.tenant import Tenant
from partywall.core.tenant_semaphore import SharedOutError, TenantSemaphore, TooMuchAtOnceError

THREADS: Final = 32
# Of one tenant: look-ups under way, also those that nobody waits for any more, and those that wait for their turn.
THREADS_EACH: Final = THREADS // 3
WAITING_EACH: Final = 50

_TENANT: Final[ContextVar[Hashable]] = ContextVar("partywall_resolving_tenant", default=None)

# The IP addresses of a name; raises OSError where there is none.
type Resolve = Callable[[str, int], Awaitable[list[str]]]


class ResolverBusyError(OSError):
    """The tenant has as many names being looked up as it may have."""


@contextmanager
def on_behalf_of(tenant: Hashable) -> Iterator[None]:
    """Names that are looked up inside count for this tenant; those of nobody count for one another."""
    token = _TENANT.set(tenant)
    try:
        yield
    finally:
        _TENANT.reset(token)


class Resolver:
    """Looks up names on threads of its own, so that a name server that hangs holds up nothing else of the process.

    A look-up cannot be broken off: a tenant's place is taken until its thread is free again.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="resolver")
        self._places = TenantSemaphore(THREADS, each=THREADS_EACH, waiting=WAITING_EACH, patience=None)

    async def __call__(self, host: str, port: int) -> list[str]:
        tenant = Tenant(str(_TENANT.get()))
        try:
            await self._places.acquire(tenant)
        except (TooMuchAtOnceError, SharedOutError) as error:
            raise ResolverBusyError("too many names of one tenant are being looked up") from error
        look_up = functools.partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        try:
            under_way = asyncio.get_running_loop().run_in_executor(self._threads, look_up)
        except BaseException:
            self._places.release(tenant)
            raise
        under_way.add_done_callback(functools.partial(self._done, tenant))
        found = await asyncio.shield(under_way)
        return list(dict.fromkeys(str(address[0]) for *_, address in found))

    def _done(self, tenant: Tenant, under_way: asyncio.Future[list[object]]) -> None:
        self._places.release(tenant)
        if not under_way.cancelled():
            under_way.exception()  # also where nobody waits for it any more

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
