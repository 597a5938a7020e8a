from __future__ import annotations

from typing import Final
from uuid import UUID

from redis.asyncio import Redis

from partywall.core.cache_keys import TICKETS_PREFIX

_KEYS_AT_ONCE: Final = 1_000


async def remove_keys_of(cache: Redis, project_id: UUID) -> None:
    """Deletes the keys that name a project, and the tickets that are for it.

    Each of them expires by itself: this is for those that would outlive the project. Reads all keys, some at a time.
    """
    named = str(project_id).encode()
    cursor = 0
    keys: list[bytes]
    while True:
        cursor, keys = await cache.scan(cursor, count=_KEYS_AT_ONCE)
        tickets = [key for key in keys if key.startswith(TICKETS_PREFIX.encode())]
        values = await cache.mget(tickets) if tickets else []
        found = [ticket for ticket, value in zip(tickets, values, strict=True) if value is not None and named in value]
        if doomed := [*found, *(key for key in keys if named in key)]:
            await cache.delete(*doomed)
        if cursor == 0:
            return
