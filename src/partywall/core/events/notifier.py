from __future__ import annotations

import asyncio
from itertools import batched
from typing import Final
from uuid import UUID

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from partywall.core.cache_keys import PROJECT_EVENTS, CacheKey, events_channel
from partywall.core.events.broadcaster import MOST, project_ids_message
from partywall.core.log_masks import error_fields
from partywall.core.tenancy import ProjectScope

log = structlog.get_logger(__name__)

RETRY_SECONDS: Final = 1.0


class EventNotifier:
    """Notifies readers that a project has new events, which they read from the table.

    Callers do not wait for the cache: `run` publishes all pending notifications in one round trip.
    """

    def __init__(self, cache: Redis) -> None:
        self._cache = cache
        self._pending: dict[CacheKey, tuple[UUID, int]] = {}
        self._wake = asyncio.Event()

    def notify(self, scope: ProjectScope, last: int) -> None:
        self._pending[events_channel(scope)] = scope.project_id, last
        self._wake.set()

    async def run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            if not await self.flush():
                await asyncio.sleep(RETRY_SECONDS)
                self._wake.set()

    async def flush(self) -> bool:
        """Publishes pending notifications. Returns False if the cache is unavailable; they then stay pending."""
        pending, self._pending = self._pending, {}
        if not pending:
            return True
        try:
            async with self._cache.pipeline(transaction=False) as pipeline:
                for name, (_, last) in pending.items():
                    await pipeline.publish(name, last)
                for some in batched({project_id for project_id, _ in pending.values()}, MOST):
                    await pipeline.publish(PROJECT_EVENTS, project_ids_message(some))
                await pipeline.execute()
        except (RedisError, OSError) as error:
            log.warning("event_notification_delayed", channels=len(pending), **error_fields(error))
            self._pending = pending | self._pending
            return False
        return True
