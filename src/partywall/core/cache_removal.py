"""Removes what the cache holds of a deleted project."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from redis.asyncio import Redis

from partywall.core.cache_keys import TICKETS_PREFIX

_KEYS_AT_ONCE: Final = 1_000


async def remove_keys_of(cache: Redis, project_id: UUID) -> None:
    """Deletes the keys that name a project, and the tickets for it.

    They would expire anyway; this removes those that would outlive the project. Scans all keys in batches.
    """
    named = str(project_id).encode()
    cursor = 0
    while True:
        cursor, found = await cache.scan(cursor, count=_KEYS_AT_ONCE)
        keys = [key if isinstance(key, bytes) else key.encode() for key in found]
        tickets = [key for key in keys if key.startswith(TICKETS_PREFIX.encode())]
        values = await cache.mget(tickets) if tickets else []
        to_delete = [
            ticket for ticket, value in zip(tickets, values, strict=True) if value is not None and named in value
        ]
        to_delete += [key for key in keys if named in key]
        if to_delete:
            await cache.delete(*to_delete)
        if cursor == 0:
            return
