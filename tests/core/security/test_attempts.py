from __future__ import annotations

import asyncio
from uuid import uuid4

from structlog.testing import capture_logs

from partywall.core.caches import create_cache
from partywall.core.resources import Resources
from partywall.core.security.attempts import AttemptLimiter


async def test_each_client_has_so_many_attempts_a_minute(resources: Resources) -> None:
    limiter = AttemptLimiter(resources.cache, per_minute=3)
    one, other = uuid4().hex, uuid4().hex
    assert [await limiter.admit(one) for _ in range(3)] == [None] * 3
    wait = await limiter.admit(one)
    assert wait is not None
    assert 1 <= wait <= 60
    assert await limiter.admit(other) is None


async def test_what_may_happen_so_often_an_hour_is_counted_on_its_own(resources: Resources) -> None:
    limiter = AttemptLimiter(resources.cache, per_minute=1)
    one = uuid4().hex
    assert [await limiter.admit(one, per_hour=2) for _ in range(2)] == [None] * 2
    await asyncio.sleep(0.002)  # within its first millisecond a window counts as one that ends at once
    wait = await limiter.admit(one, per_hour=2)
    assert wait is not None
    assert 60 < wait <= 3600
    assert await limiter.admit(one) is None


async def test_processes_count_together(resources: Resources) -> None:
    client = uuid4().hex
    limiters = [AttemptLimiter(resources.cache, per_minute=2) for _ in range(3)]
    assert [await limiter.admit(client) is None for limiter in limiters] == [True, True, False]


async def test_everyone_is_admitted_while_valkey_is_away_and_it_is_said_once() -> None:
    cache = create_cache("redis://127.0.0.1:1/0")
    limiter = AttemptLimiter(cache, per_minute=1)
    with capture_logs() as logs:
        assert [await limiter.admit("client") for _ in range(20)] == [None] * 20
    assert [each["event"] for each in logs] == ["attempt_limit_away"]
    await cache.aclose()
