"""Wakes workers when there is a new job. Delivery is best effort; workers also poll."""

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

# Jobs enqueued within this time share one message.
GATHER_SECONDS: Final = 0.005
RETRY_SECONDS: Final = 1.0


async def wake_workers(cache: Redis) -> bool:
    """Publishes that there is a new job. Returns False if the cache is unavailable."""
    try:
        await cache.publish(JOBS, b"")
    except (RedisError, OSError) as error:
        log.warning("workers_not_woken", **error_fields(error))
        return False
    return True


class JobWaker:
    """Code that enqueues calls `wake` after the commit, without waiting; `run` publishes in the background."""

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
        """Publishes a pending message. Returns False if the cache is unavailable; it then stays pending."""
        if not self._new.is_set():
            return True
        self._new.clear()
        if not await wake_workers(self._cache):
            self._new.set()
            return False
        return True

    def followed_by(self, told: Callable[[], None]) -> AbstractContextManager[None]:
        return self._followers.including(lambda _: told())
