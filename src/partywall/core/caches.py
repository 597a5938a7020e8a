"""Connections to Valkey."""

from __future__ import annotations

from typing import Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from partywall.core.cache_breaker import CALL_SECONDS, Breaker, BreakingRetry

CONNECT_SECONDS: Final = 2.0


def create_cache(url: str, breaker: Breaker | None = None) -> Redis:
    """For requests: none waits for long, nor again for what has just not answered."""
    return Redis.from_url(
        url,
        socket_timeout=CALL_SECONDS,
        socket_connect_timeout=CALL_SECONDS,
        retry=BreakingRetry(breaker or Breaker()),
        health_check_interval=30,
    )


def create_listening_cache(url: str) -> Redis:
    """For the subscription connection, which waits as long as it takes and is opened anew by its own loop."""
    return Redis.from_url(url, socket_timeout=None, socket_connect_timeout=CONNECT_SECONDS, retry=Retry(NoBackoff(), 0))
