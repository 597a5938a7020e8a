"""Claims on an Idempotency-Key while its request is processed outside a transaction.

A claim avoids doing costly work twice. The transaction that stores the outcome ensures that it is stored once. So a
claim may be lost, and without Valkey there are none.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from partywall.core.cache_keys import CacheKey
from partywall.core.log_masks import error_fields

log = structlog.get_logger(__name__)

# After this time a dead process's claim expires.
LEASE: Final = timedelta(minutes=2)


@asynccontextmanager
async def claim(cache: Redis, key: CacheKey) -> AsyncIterator[bool]:
    """Holds the claim during the block. Yields False if another request holds it."""
    token = secrets.token_bytes(16)
    try:
        claimed = await cache.set(key, token, nx=True, px=LEASE)
    except (RedisError, OSError) as error:
        log.warning("idempotency_claims_unavailable", **error_fields(error))
        yield True
        return
    try:
        yield bool(claimed)
    finally:
        if claimed:
            await _release(cache, key, token)


async def _release(cache: Redis, key: CacheKey, token: bytes) -> None:
    try:
        if await cache.get(key) == token:
            await cache.delete(key)
    except (RedisError, OSError) as error:
        log.warning("idempotency_claims_unavailable", **error_fields(error))
