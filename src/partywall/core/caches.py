"""Connections to Valkey."""

from __future__ import annotations

from typing import Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from partywall.core.cache_breaker import CALL_SECONDS, Breaker, BreakingRetry

CONNECT_SECONDS: Final = 2.0


def create_cache(url: str, breaker: Breaker | None = None) -> Redis:
    """A client for requests, with short timeouts and a circuit breaker."""
    return Redis.from_url(
        url,
        socket_timeout=CALL_SECONDS,
        socket_connect_timeout=CALL_SECONDS,
        retry=BreakingRetry(breaker or Breaker()),
        health_check_interval=30,
    )


def create_listening_cache(url: str) -> Redis:
    """A client for the subscription connection: waits without limit; its own loop reconnects."""
    return Redis.from_url(url, socket_timeout=None, socket_connect_timeout=CONNECT_SECONDS, retry=Retry(NoBackoff(), 0))
