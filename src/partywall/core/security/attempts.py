from __future__ import annotations

import math
import time
from typing import Final

import structlog
from limits import RateLimitItemPerHour, RateLimitItemPerMinute
from limits.aio.storage import RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import StorageError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from partywall.core.cache_keys import ATTEMPTS_PREFIX
from partywall.core.clock import unix_time

log = structlog.get_logger(__name__)

_AWAY_FOR: Final = 5.0


class AttemptLimiter:
    """Counts attempts in Valkey over a sliding minute or hour: credentials by client address, mails by who causes them.

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
        self._limit = RateLimitItemPerMinute(per_minute)
        self._away_until = float("-inf")

    async def admit(self, counted: str, *, per_hour: int | None = None) -> int | None:
        """None for an attempt that may go on, otherwise the seconds to wait.

        `counted` names who or what is limited, and for what; `per_hour` limits it over an hour instead.
        """
        limit = self._limit if per_hour is None else RateLimitItemPerHour(per_hour)
        if time.monotonic() < self._away_until:
            return None
        try:
            if await self._limiter.hit(limit, counted):
                return None
            window = await self._limiter.get_window_stats(limit, counted)
        except (StorageError, RedisError, OSError) as error:
            self._away_until = time.monotonic() + _AWAY_FOR
            log.warning("attempt_limit_away", error=type(error).__name__)
            return None
        return min(limit.get_expiry(), max(1, math.ceil(window.reset_time - unix_time())))
