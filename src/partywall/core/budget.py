"""Shares a fixed amount of memory or disk fairly between callers."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from partywall.core.errors import UnavailableError

RETRY_AFTER_SECONDS: Final = 5


class BudgetSpentError(UnavailableError):
    """The limit is reached, for all or for this caller."""

    def __init__(self, detail: str = "Too many of these requests are in progress; try again.") -> None:
        super().__init__(detail, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})


@dataclass(eq=False, slots=True)
class _Waiting[K]:
    key: K
    amount: int
    granted: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class SharedBudget[K: Hashable]:
    """Limits how much of a resource is in use at once: `total` in all, `each` for one key.

    Of the waiting requests, the one whose key holds least comes first, then the oldest. An amount larger than a limit
    is admitted when nothing else counts against that limit.
    """

    def __init__(self, total: int, each: int, most_waiting: int = 16) -> None:
        self._total = total
        self._each = each
        self._most_waiting = most_waiting
        self._held: Counter[K] = Counter()
        self._sum = 0
        self._queue: list[_Waiting[K]] = []

    @property
    def taken(self) -> int:
        return self._sum

    @property
    def waiting(self) -> int:
        return len(self._queue)

    @asynccontextmanager
    async def take(self, key: K, amount: int, seconds: float = 0.0) -> AsyncIterator[None]:
        """Holds the amount; raises BudgetSpentError after waiting `seconds` for it."""
        if self._queue_ahead(key) or not self._fits(key, amount):
            await self._wait(key, amount, seconds)
        else:
            self._count(key, amount)
        try:
            yield
        finally:
            self._count(key, -amount)
            self._admit()

    def _queue_ahead(self, key: K) -> bool:
        """Whether a request is waiting for the total, or an earlier one of this key is waiting."""
        return any(each.key == key or not self._fits_all(each.amount) for each in self._queue)

    def _fits_all(self, amount: int) -> bool:
        return not self._sum or self._sum + amount <= self._total

    def _fits(self, key: K, amount: int) -> bool:
        return self._fits_all(amount) and self._fits_share(key, amount)

    def _fits_share(self, key: K, amount: int) -> bool:
        return not self._held[key] or self._held[key] + amount <= self._each

    def _count(self, key: K, amount: int) -> None:
        self._sum += amount
        self._held[key] += amount
        if not self._held[key]:
            del self._held[key]

    async def _wait(self, key: K, amount: int, seconds: float) -> None:
        if seconds <= 0 or sum(each.key == key for each in self._queue) >= self._most_waiting:
            raise BudgetSpentError
        waiting = _Waiting(key, amount)
        self._queue.append(waiting)
        try:
            async with asyncio.timeout(seconds):
                await waiting.granted
        except BaseException as error:
            if waiting in self._queue:
                self._queue.remove(waiting)
            else:  # granted just as the wait ended
                self._count(key, -amount)
            self._admit()
            if isinstance(error, TimeoutError):
                raise BudgetSpentError from error
            raise

    def _admit(self) -> None:
        """A request that waits for the total blocks those behind it; one that waits for its key's share does not."""
        while (waiting := self._next()) is not None and self._fits_all(waiting.amount):
            self._queue.remove(waiting)
            self._count(waiting.key, waiting.amount)
            waiting.granted.set_result(None)

    def _next(self) -> _Waiting[K] | None:
        own = (each for each in self._queue if self._fits_share(each.key, each.amount))
        return min(own, key=lambda each: self._held[each.key], default=None)
