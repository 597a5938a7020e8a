"""Workers are woken when there is a new job. A word may be missed: they poll behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from partywall.core.cache_keys import JOBS
from partywall.core.events.listener import Followers, Listener
from partywall.core.log_masks import error_fields

log = structlog.get_logger(__name__)

# What is enqueued within this time is told by one word.
GATHER_SECONDS: Final = 0.005
RETRY_SECONDS: Final = 1.0


async def wake_workers(cache: Redis) -> bool:
    """There is a new job; False where the cache is away."""
    try:
        await cache.publish(JOBS, b"")
    except (RedisError, OSError) as error:
        log.warning("workers_not_woken", **error_fields(error))
        return False
    return True


class JobWaker:
    """Who enqueues says `wake` after the commit and waits for nothing; `run` publishes behind it."""

    def __init__(self, cache: Redis, listener: Listener) -> None:
        self._cache = cache
        self._followers = Followers(listener, JOBS)
        self._new = asyncio.Event()

    def wake(self) -> None:
        self._new.set()

    async def run(self) -> None:
        while True:
            await self._new.wait()
            await asyncio.sleep(GATHER_SECONDS)
            if not await self.flush():
                await asyncio.sleep(RETRY_SECONDS)

    async def flush(self) -> bool:
        """Publishes if there is something to say; False where the cache is away, and then it is still to be said."""
        if not self._new.is_set():
            return True
        self._new.clear()
        if not await wake_workers(self._cache):
            self._new.set()
            return False
        return True

    def followed_by(self, told: Callable[[], None]) -> AbstractContextManager[None]:
        return self._followers.including(lambda _: told())
