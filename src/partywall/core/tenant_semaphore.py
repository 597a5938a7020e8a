"""Shares slots between tenants; a tenant that finds none waits in a queue of its own."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from partywall.core.errors import TooManyRequestsError, UnavailableError
from partywall.core.recent_use import RecentUse
from partywall.core.tenant import Tenant

WAITING_EACH: Final = 256
WAITING_UNKNOWN: Final = 1024
MAX_WAIT_SECONDS: Final = 10.0
RETRY_AFTER_SECONDS: Final = 1


class TooMuchAtOnceError(TooManyRequestsError):
    """This tenant exceeds its share; others are not affected."""

    def __init__(self) -> None:
        super().__init__(RETRY_AFTER_SECONDS, "You have too many requests in progress; try again.")


class SharedOutError(UnavailableError):
    """Other tenants use all slots."""

    def __init__(self) -> None:
        super().__init__("The server is busy; try again.", headers={"Retry-After": str(RETRY_AFTER_SECONDS)})


class TenantSemaphore:
    """A semaphore that shares its slots between tenants.

    One tenant may hold `each` slots, and all unauthenticated ones together `unknown`. While tenants wait, a free slot
    goes to the one that holds the fewest, so that none keeps more than an equal share. Each tenant has a bounded queue
    and waits at most `max_wait` seconds; with `background_waits`, background work waits without limit. Use it from one
    event loop only.

    With `use`, a free slot goes to the tenant with the least recent use, and all tenants with much recent use together
    get half of the slots, so that one stays free for others; each of them gets at most `each_heavy`.
    """

    def __init__(
        self,
        capacity: int,
        *,
        each: int | None = None,
        each_heavy: int | None = None,
        unknown: int | None = None,
        waiting: int = WAITING_EACH,
        max_wait: float | None = MAX_WAIT_SECONDS,
        background_waits: bool = False,
        use: RecentUse | None = None,
    ) -> None:
        self._capacity = capacity
        self._each = capacity - capacity // 3 if each is None else each
        self._each_heavy = self._each if each_heavy is None else each_heavy
        self._most_unknown = max(1, capacity // 3) if unknown is None else unknown
        self._most_waiting = waiting
        self._max_wait = max_wait
        self._background_waits = background_waits
        self._use = use
        self._held: Counter[str] = Counter()
        self._in_use = 0
        self._unknown = 0
        self._waiting_unknown = 0
        self._queues: dict[str, deque[tuple[Tenant, asyncio.Future[None]]]] = {}

    @property
    def in_use(self) -> int:
        return self._in_use

    @property
    def waiting(self) -> int:
        return sum(map(len, self._queues.values()))

    def try_acquire(self, tenant: Tenant) -> bool:
        """Takes a slot if one is free; then `release` must follow."""
        held = self._held.get(tenant.name, 0)
        if self._in_use >= self._capacity or held >= self._share(tenant.name):
            return False
        if self._use is not None and not self._leaves_room(tenant, self._use):
            return False
        if not tenant.known:
            if self._unknown >= self._most_unknown:
                return False
            self._unknown += 1
        self._in_use += 1
        self._held[tenant.name] = held + 1
        return True

    async def acquire(self, tenant: Tenant) -> None:
        """Waits for a slot; raises TooMuchAtOnceError if the tenant has its share, else SharedOutError."""
        if self.try_acquire(tenant):
            return
        self._refuse_full(tenant)
        future = asyncio.get_running_loop().create_future()
        entry = (tenant, future)
        self._queues.setdefault(tenant.name, deque()).append(entry)
        self._waiting_unknown += not tenant.known
        try:
            async with asyncio.timeout(None if tenant.background and self._background_waits else self._max_wait):
                await future
        except BaseException as error:
            if future.done() and not future.cancelled():
                self.release(tenant)  # granted at the same moment
            else:
                self._leave(entry)
            if isinstance(error, TimeoutError):
                raise self._refusal(tenant) from error
            raise

    def release(self, tenant: Tenant) -> None:
        self._in_use -= 1
        self._unknown -= not tenant.known
        left = self._held[tenant.name] - 1
        if left:
            self._held[tenant.name] = left
        else:
            del self._held[tenant.name]
        if self._queues:
            self._grant()

    @asynccontextmanager
    async def hold(self, tenant: Tenant) -> AsyncIterator[None]:
        await self.acquire(tenant)
        try:
            yield
        finally:
            self.release(tenant)

    def add_use(self, tenant: Tenant, seconds: float) -> None:
        """Counts what a tenant has used, for a caller that knows it; needs `use`."""
        assert self._use is not None
        self._use.add(tenant.name, seconds)

    def _share(self, name: str) -> int:
        return self._each_heavy if self._use is not None and self._use.is_much(name) else self._each

    def _fits(self, tenant: Tenant) -> bool:
        return (
            self._in_use < self._capacity
            and self._held[tenant.name] < self._share(tenant.name)
            and (tenant.known or self._unknown < self._most_unknown)
            and (self._use is None or self._leaves_room(tenant, self._use))
        )

    def _leaves_room(self, tenant: Tenant, use: RecentUse) -> bool:
        if not use.is_much(tenant.name):
            return True
        return sum(held for name, held in self._held.items() if use.is_much(name)) < max(1, self._capacity // 2)

    def _take(self, tenant: Tenant) -> None:
        self._in_use += 1
        self._held[tenant.name] += 1
        self._unknown += not tenant.known

    def _refuse_full(self, tenant: Tenant) -> None:
        if len(self._queues.get(tenant.name, ())) >= self._most_waiting:
            raise self._refusal(tenant)
        if not tenant.known and self._waiting_unknown >= WAITING_UNKNOWN:
            raise SharedOutError

    def _refusal(self, tenant: Tenant) -> TooMuchAtOnceError | SharedOutError:
        return TooMuchAtOnceError() if self._has_its_share(tenant) and not tenant.background else SharedOutError()

    def _has_its_share(self, tenant: Tenant) -> bool:
        held, tenants = self._held[tenant.name], len(self._held.keys() | self._queues.keys())
        return held >= self._share(tenant.name) or (held > 0 and held * tenants >= self._capacity)

    def _grant(self) -> None:
        """Gives free slots to the waiting tenant with the least use, then the fewest slots, then the longest wait."""
        while self._in_use < self._capacity:
            fitting = [name for name, queue in self._queues.items() if self._fits(queue[0][0])]
            if not fitting:
                return
            name = min(fitting, key=self._order)
            queue = self._queues.pop(name)
            tenant, future = queue.popleft()
            if queue:
                self._queues[name] = queue  # last in line
            self._waiting_unknown -= not tenant.known
            if not future.done():
                self._take(tenant)
                future.set_result(None)

    def _order(self, name: str) -> tuple[float, int]:
        return (0.0 if self._use is None else self._use.of(name), self._held[name])

    def _leave(self, entry: tuple[Tenant, asyncio.Future[None]]) -> None:
        name = entry[0].name
        queue = self._queues.get(name)
        if queue is not None and entry in queue:
            queue.remove(entry)
            self._waiting_unknown -= not entry[0].known
            if not queue:
                del self._queues[name]
