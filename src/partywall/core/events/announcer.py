from __future__ import annotations

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from partywall.core.tenancy import ProjectScope

log = structlog.get_logger(__name__)


def channel(scope: ProjectScope) -> str:
    return f"proj:{scope.project_id}:events"


class Announcer:
    """Tells readers that a project has news. The message only says "look": the table is what they read."""

    def __init__(self, cache: Redis) -> None:
        self._cache = cache

    async def announce(self, scope: ProjectScope, last: int) -> None:
        try:
            await self._cache.publish(channel(scope), last)
        except (RedisError, OSError):
            log.warning("announcement_lost", project_id=str(scope.project_id), event_id=last)
