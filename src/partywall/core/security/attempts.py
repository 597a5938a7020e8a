from __future__ import annotations

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
from redis.exceptions import RedisError

from partywall.core.cache_keys import ATTEMPTS_PREFIX
from partywall.core.clock import unix_time

log = structlog.get_logger(__name__)

_AWAY_FOR: Final = 5.0

type Allows = Callable[[RateLimitItem, str], Awaitable[bool]]


class AttemptLimiter:
    """Counts attempts in Valkey over a sliding minute or hour: credentials by who presents them, mails by who asks.

    Where Valkey is away every attempt is admitted: the lockout, which PostgreSQL keeps, still stands.
    """

    def __init__(self, cache: Redis, per_minute: int) -> None:
        storage = RedisStorage(
            "async+redis://",
            wrap_exceptions=True,
            implementation="redispy",
            key_prefix=ATTEMPTS_PREFIX,
            connection_pool=cache.connection_pool,  # type: ignore[arg-type]  # passed through to redis-py as documented
        )
        self._limiter = SlidingWindowCounterRateLimiter(storage)
        self._per_minute = per_minute
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
        if time.monotonic() < self._away_until:
            return None
        try:
            if await allows(limit, counted):
                return None
            window = await self._limiter.get_window_stats(limit, counted)
        except (StorageError, RedisError, OSError) as error:
            self._away_until = time.monotonic() + _AWAY_FOR
            log.warning("attempt_limit_away", error=type(error).__name__)
            return None
        return min(limit.get_expiry(), max(1, math.ceil(window.reset_time - unix_time())))
