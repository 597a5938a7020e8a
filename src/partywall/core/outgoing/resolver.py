"""Looks up host names for outgoing calls, with a limit for each tenant."""

from __future__ import annotations

import functools
import socket
from collections.abc import Awaitable, Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from partywall.core.shared_threads import SharedThreads
from partywall.core.tenant import Tenant
from partywall.core.tenant_semaphore import SharedOutError, TooMuchAtOnceError

THREADS: Final = 32
# Of one tenant: lookups under way, including abandoned ones, and lookups waiting for a thread.
THREADS_EACH: Final = THREADS // 3
WAITING_EACH: Final = 50

_TENANT: Final[ContextVar[Hashable]] = ContextVar("partywall_resolving_tenant", default=None)

# Returns the IP addresses of a name; raises OSError if there are none.
type Resolve = Callable[[str, int], Awaitable[list[str]]]


class ResolverBusyError(OSError):
    """The tenant has too many lookups under way."""


@contextmanager
def on_behalf_of(tenant: Hashable) -> Iterator[None]:
    """Lookups in the block count for this tenant; lookups outside share one tenant."""
    token = _TENANT.set(tenant)
    try:
        yield
    finally:
        _TENANT.reset(token)


class Resolver:
    """Resolves names on its own threads, so that a name server that hangs blocks nothing else in the process."""

    def __init__(self) -> None:
        self._threads = SharedThreads("resolver", THREADS, each=THREADS_EACH, waiting=WAITING_EACH, max_wait=None)

    async def __call__(self, host: str, port: int) -> list[str]:
        look_up = functools.partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        try:
            found = await self._threads.run(look_up, Tenant(str(_TENANT.get())))
        except (TooMuchAtOnceError, SharedOutError) as error:
            raise ResolverBusyError("too many names of one tenant are being looked up") from error
        return list(dict.fromkeys(str(address[0]) for *_, address in found))

    def close(self) -> None:
        self._threads.close()
