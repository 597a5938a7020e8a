"""Connections to Valkey."""

from __future__ import annotations

from typing import Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

CACHE_TIMEOUT_SECONDS: Final = 2.0


def create_cache(url: str) -> Redis:
    return Redis.from_url(
        url,
        socket_timeout=CACHE_TIMEOUT_SECONDS,
        socket_connect_timeout=CACHE_TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 1),
        health_check_interval=30,
    )


def create_listening_cache(url: str) -> Redis:
    """For the subscription connection, which waits as long as it takes and is opened anew by its own loop."""
    return Redis.from_url(
        url, socket_timeout=None, socket_connect_timeout=CACHE_TIMEOUT_SECONDS, retry=Retry(NoBackoff(), 0)
    )
