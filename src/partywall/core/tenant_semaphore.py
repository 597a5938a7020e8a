from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager


class TenantSemaphore[K: Hashable]:
    """Lets in `total` at once, of each tenant at most `each`. Tenants that wait take turns, however many of one do."""

    def __init__(self, total: int, each: int) -> None:
        self._free = total
        self._each = each
        self._inside: Counter[K] = Counter()
        # In the order of their turns; each has at least one who waits.
        self._waiting: dict[K, deque[asyncio.Future[None]]] = {}

    def waiting(self, tenant: K) -> int:
        return len(self._waiting.get(tenant, ()))

    @asynccontextmanager
    async def enter(self, tenant: K) -> AsyncIterator[None]:
        await self.acquire(tenant)
        try:
            yield
        finally:
            self.release(tenant)

    async def acquire(self, tenant: K) -> None:
        """To be released."""
        if tenant not in self._waiting and self._admits(tenant):
            self._let_in(tenant)
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(tenant, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release(tenant)
            else:
                self._forget(tenant, turn)
            raise

    def release(self, tenant: K) -> None:
        self._free += 1
        self._inside[tenant] -= 1
        if not self._inside[tenant]:
            del self._inside[tenant]
        while chosen := [each for each in self._waiting if self._admits(each)][:1]:
            self._wake(chosen[0])

    def _admits(self, tenant: K) -> bool:
        return self._free > 0 and self._inside[tenant] < self._each

    def _let_in(self, tenant: K) -> None:
        self._free -= 1
        self._inside[tenant] += 1

    def _wake(self, tenant: K) -> None:
        """The one of this tenant that has waited longest; the others of it come after the other tenants."""
        queue = self._waiting.pop(tenant)
        turn = queue.popleft()
        if queue:
            self._waiting[tenant] = queue
        if not turn.done():
            self._let_in(tenant)
            turn.set_result(None)

    def _forget(self, tenant: K, turn: asyncio.Future[None]) -> None:
        queue = self._waiting.get(tenant)
        if queue is not None and turn in queue:
            queue.remove(turn)
            if not queue:
                del self._waiting[tenant]
