from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from partywall.core.caches import create_cache
from partywall.core.resources import Resources
from partywall.core.security.attempts import AT_ONCE, AttemptLimiter
from partywall.settings import Settings


async def test_each_client_has_so_many_attempts_a_minute(resources: Resources) -> None:
    limiter = AttemptLimiter(resources.cache, per_minute=3)
    one, other = uuid4().hex, uuid4().hex
    assert [await limiter.admit(one) for _ in range(3)] == [None] * 3
    wait = await limiter.admit(one)
    assert wait is not None
    assert 1 <= wait <= 60
    assert await limiter.admit(other) is None


async def test_hourly_limits_are_counted_separately(resources: Resources) -> None:
    limiter = AttemptLimiter(resources.cache, per_minute=1)
    one = uuid4().hex
    assert [await limiter.admit(one, per_hour=2) for _ in range(2)] == [None] * 2
    await asyncio.sleep(0.002)  # in its first millisecond a window counts as one that ends at once
    wait = await limiter.admit(one, per_hour=2)
    assert wait is not None
    assert 60 < wait <= 3600
    assert await limiter.admit(one) is None


async def test_processes_count_together(resources: Resources) -> None:
    client = uuid4().hex
    limiters = [AttemptLimiter(resources.cache, per_minute=2) for _ in range(3)]
    assert [await limiter.admit(client) is None for limiter in limiters] == [True, True, False]


async def test_without_valkey_everyone_is_admitted_and_one_line_is_logged() -> None:
    cache = create_cache("redis://127.0.0.1:1/0")
    limiter = AttemptLimiter(cache, per_minute=1)
    with capture_logs() as logs:
        assert [await limiter.admit("client") for _ in range(20)] == [None] * 20
    assert [each["event"] for each in logs] == ["attempt_limiter_unavailable"]
    await cache.aclose()


async def write(cache: Redis, key: str, garbage: str) -> None:
    """Values that Valkey refuses to increment, that Python cannot parse, or that look like counts."""
    match garbage:
        case "list":
            await cache.rpush(key, "1")
        case "hash":
            await cache.hset(key, "a", "1")
        case "endless":
            await cache.set(key, "3")
        case _:
            await cache.set(key, garbage.encode(errors="surrogateescape"), ex=100)


GARBAGE = ["list", "hash", "x", "", "1.5", "1e400", "inf", "٣", "\udcff", "9" * 19, "9" * 400, "9" * 5000]
GARBAGE += ["0" * 100_000 + "x", "endless"]


@pytest.mark.parametrize("garbage", GARBAGE, ids=lambda each: ascii(each[:8]) + str(len(each)))
@pytest.mark.parametrize("window", ["current", "previous"])
@pytest.mark.parametrize("asked", ["admit", "wait"])
async def test_invalid_counts_are_discarded(resources: Resources, garbage: str, window: str, asked: str) -> None:
    """There is no error and no endless wait, and the next attempts are counted as usual."""
    cache, client = resources.cache, uuid4().hex
    limiter = AttemptLimiter(cache, per_minute=3)
    await limiter.admit(f"login/{client}")
    [current] = [key.decode() async for key in cache.scan_iter(f"*{client}*", count=10_000)]
    key = current if window == "current" else f"{current}/-1"
    await cache.delete(current)
    await write(cache, key, garbage)
    with capture_logs() as logs:
        assert await getattr(limiter, asked)(f"login/{client}") is None
        assert await limiter.admit(uuid4().hex) is None
        answers = [await limiter.admit(f"login/{client}") for _ in range(8)]
    assert None in answers
    assert answers[-1] is not None
    assert {log["event"] for log in logs} <= {"attempt_count_unreadable"}
    assert {log.get("counted") for log in logs} <= {"login"}
    assert client not in str(logs)


async def test_an_invalid_count_is_logged_and_affects_no_other(resources: Resources) -> None:
    cache, one, other = resources.cache, uuid4().hex, uuid4().hex
    limiter = AttemptLimiter(cache, per_minute=1)
    assert [await limiter.admit(each) for each in (one, other)] == [None] * 2
    [key] = [key async for key in cache.scan_iter(f"*{one}*", count=10_000)]
    await cache.set(key, "garbage", ex=100)
    with capture_logs() as logs:
        assert await limiter.admit(one) is None
    assert [log["event"] for log in logs] == ["attempt_count_unreadable"]
    assert await limiter.admit(other) is not None
    assert [await limiter.admit(one) is None for _ in range(2)] == [True, False]


async def test_a_burst_opens_few_connections(settings: Settings) -> None:
    assert settings.cache.url is not None
    cache = create_cache(settings.cache.url.get_secret_value())
    limiter, one = AttemptLimiter(cache, per_minute=3), uuid4().hex
    waits = await asyncio.gather(*(limiter.admit(one) for _ in range(200)))
    assert waits.count(None) == 3
    assert len(cache.connection_pool._available_connections) <= AT_ONCE
    await cache.aclose()
