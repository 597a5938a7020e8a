from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.aio.storage import RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import StorageError
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from partywall.core.cache_keys import ATTEMPTS_PREFIX
from partywall.core.log_masks import error_fields

log = structlog.get_logger(__name__)

_AWAY_FOR: Final = 5.0
# Questions to Valkey. In a storm each would open a connection, and those that are slow look as if Valkey were away.
AT_ONCE: Final = 16

type Allows = Callable[[RateLimitItem, str], Awaitable[bool]]
# How many attempts the window before has and for how many seconds it counts, and the same of the present one.
type Window = tuple[int, float, int, float]


class _Storage(RedisStorage):
    """Of the three client libraries that it can use it imports the one that it is given."""

    DEPENDENCIES = {"redis": RedisStorage.DEPENDENCIES["redis"]}  # noqa: RUF012 - declared by its base


class AttemptLimiter:
    """Counts attempts in Valkey over a sliding minute or hour: credentials by who presents them, mails by who asks.

    Where Valkey is away every attempt is admitted: the lockout, which PostgreSQL keeps, still stands. A count that is
    none of ours is thrown away, and the attempt that met it is admitted.
    """

    def __init__(self, cache: Redis, per_minute: int) -> None:
        self._storage = _Storage(
            "async+redis://",
            wrap_exceptions=True,
            implementation="redispy",
            key_prefix=ATTEMPTS_PREFIX,
            connection_pool=cache.connection_pool,  # type: ignore[arg-type]  # passed through to redis-py as documented
        )
        self._limiter = SlidingWindowCounterRateLimiter(self._storage)
        self._per_minute = per_minute
        self._places = asyncio.Semaphore(AT_ONCE)
        self._away_until = float("-inf")

    async def admit(self, counted: str, *, per_hour: int | None = None, times: int = 1) -> int | None:
        """None for an attempt that may go on, otherwise the seconds to wait.

        `counted` names who or what is limited, and for what; `per_hour` limits it over an hour instead, and `times`
        allows so many times as often.
        """
        return await self._ask(self._limiter.hit, self._limit(per_hour, times), counted)

    async def wait(self, counted: str, *, times: int = 1) -> int | None:
        """What `admit` would answer; counts nothing."""
        return await self._ask(self._limiter.test, self._limit(None, times), counted)

    def _limit(self, per_hour: int | None, times: int) -> RateLimitItem:
        return RateLimitItemPerMinute(self._per_minute * times) if per_hour is None else RateLimitItemPerHour(per_hour)

    async def _ask(self, allows: Allows, limit: RateLimitItem, counted: str) -> int | None:
        async with self._places:
            return None if time.monotonic() < self._away_until else await self._ask_one(allows, limit, counted)

    async def _ask_one(self, allows: Allows, limit: RateLimitItem, counted: str) -> int | None:
        try:
            try:
                return await self._wait_for(allows, limit, counted)
            except (StorageError, ValueError, ArithmeticError) as error:
                if not _is_garbage(error):
                    raise
                log.warning("attempt_count_unreadable", counted=counted.partition("/")[0], **error_fields(error))
                await self._limiter.clear(limit, counted)
        except (StorageError, RedisError, OSError) as error:
            self._away_until = time.monotonic() + _AWAY_FOR
            log.warning("attempt_limit_away", **error_fields(error))
        return None

    async def _wait_for(self, allows: Allows, limit: RateLimitItem, counted: str) -> int | None:
        if await allows(limit, counted):
            return None
        expiry = limit.get_expiry()
        return _seconds(limit, await self._storage.get_sliding_window(limit.key_for(counted), expiry))


def _is_garbage(error: Exception) -> bool:
    """Valkey is there, and what it holds is no count: another type, no number, or one that is too large."""
    return type(error.storage_error) is ResponseError if isinstance(error, StorageError) else True


def _seconds(limit: RateLimitItem, window: Window) -> int:
    """Until one attempt less counts, as `limits` says it. Raises ValueError for a count that we cannot have written."""
    previous, previous_ends, current, current_ends = window
    if max(previous, current) > limit.amount or (current and not current_ends):
        raise ValueError("more attempts than are ever counted, or a count that never ends")
    expiry = limit.get_expiry()
    ends = [current_ends % expiry] if current else []
    if previous:
        ends.append(previous_ends % (expiry / previous))
    return min(expiry, max(1, math.ceil(min(ends, default=0))))
