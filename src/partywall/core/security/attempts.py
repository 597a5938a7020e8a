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
# Concurrent calls to Valkey. Without a limit, a burst opens many connections, and slow ones look like an outage.
AT_ONCE: Final = 16

type Allows = Callable[[RateLimitItem, str], Awaitable[bool]]
# Attempts in the previous window and how many seconds it still counts, then the same for the current window.
type Window = tuple[int, float, int, float]


class _Storage(RedisStorage):
    """Imports only the client library that is used, of the three that it supports."""

    DEPENDENCIES = {"redis": RedisStorage.DEPENDENCIES["redis"]}  # noqa: RUF012 - declared by its base


class AttemptLimiter:
    """Counts attempts in Valkey over a sliding minute or hour: logins and tokens by client, mails by requester.

    While Valkey is unavailable, every attempt is admitted; the lockout in PostgreSQL still applies. An invalid count is
    deleted, and the attempt that found it is admitted.
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
        """Counts an attempt. Returns None if it is admitted, otherwise the seconds to wait.

        `counted` identifies who is limited and for what. `per_hour` sets a limit per hour instead of per minute;
        `times` multiplies the limit per minute.
        """
        return await self._ask(self._limiter.hit, self._limit(per_hour, times), counted)

    async def wait(self, counted: str, *, per_hour: int | None = None, times: int = 1) -> int | None:
        """What `admit` would return; counts nothing."""
        return await self._ask(self._limiter.test, self._limit(per_hour, times), counted)

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
            log.warning("attempt_limiter_unavailable", **error_fields(error))
        return None

    async def _wait_for(self, allows: Allows, limit: RateLimitItem, counted: str) -> int | None:
        if await allows(limit, counted):
            return None
        expiry = limit.get_expiry()
        return _seconds(limit, await self._storage.get_sliding_window(limit.key_for(counted), expiry))


def _is_garbage(error: Exception) -> bool:
    """Whether Valkey answered but holds an invalid count: another type, not a number, or too large a number."""
    return type(error.storage_error) is ResponseError if isinstance(error, StorageError) else True


def _seconds(limit: RateLimitItem, window: Window) -> int:
    """Seconds until one attempt less counts, as in `limits`. Raises ValueError for a count that is not ours."""
    previous, previous_ends, current, current_ends = window
    if max(previous, current) > limit.amount or (current and not current_ends):
        raise ValueError("more attempts than the limit, or a count that never expires")
    expiry = limit.get_expiry()
    ends = [current_ends % expiry] if current else []
    if previous:
        ends.append(previous_ends % (expiry / previous))
    return min(expiry, max(1, math.ceil(min(ends, default=0))))
