"""A Valkey that accepts connections and never answers."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from partywall.adapters.embedded import EmbeddedValkey
from partywall.core import cache_breaker
from partywall.core.cache_breaker import Breaker, BreakingRetry, CacheSilentError
from partywall.core.caches import create_cache
from tests.adapters.embedded.conftest import open_directory

REST = 3600.0


class Clock:
    """The real clock, which tests may advance."""

    ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


@pytest.fixture
async def valkey() -> AsyncIterator[EmbeddedValkey]:
    with open_directory() as data_dir:
        server = EmbeddedValkey(data_dir)
        async with server:
            yield server
        server.remove()


@contextmanager
def silent(server: EmbeddedValkey) -> Iterator[None]:
    assert server.pid is not None
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


async def outcomes(cache: Redis, calls: int) -> list[bool | BaseException]:
    return await asyncio.gather(*(cache.ping() for _ in range(calls)), return_exceptions=True)


async def until_it_answers(cache: Redis, clock: Clock) -> None:
    async with asyncio.timeout(60):
        while True:
            clock.ahead += REST
            try:
                assert await cache.ping()
            except RedisError:
                continue
            return


async def test_a_silent_cache_costs_one_timeout_and_then_one_probe(
    valkey: EmbeddedValkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_breaker, "REST_SECONDS", REST)
    clock = Clock()
    cache = create_cache(valkey.url, Breaker(clock))
    fresh = create_cache(valkey.url, Breaker(clock))
    await until_it_answers(cache, clock)
    with silent(valkey):
        for client in (cache, fresh):  # with an open connection, and without one
            with pytest.raises(RedisError) as waited:
                await client.ping()
            assert not isinstance(waited.value, CacheSilentError)
            assert [type(each) for each in await outcomes(client, 3)] == [CacheSilentError] * 3
        clock.ahead += REST
        probing = await outcomes(cache, 5)
        assert [isinstance(each, CacheSilentError) for each in probing].count(False) == 1
    await until_it_answers(cache, clock)
    await cache.aclose()
    await fresh.aclose()


async def test_a_process_that_was_suspended_asks_again() -> None:
    clock = Clock()
    retry = BreakingRetry(Breaker(clock))
    asked = 0

    async def sleep_through_the_answer() -> str:
        nonlocal asked
        asked += 1
        if asked == 1:
            clock.ahead += 60
            raise RedisTimeoutError
        return "answer"

    async def fail(_error: Exception) -> None: ...

    for _ in range(2):
        assert await retry.call_with_retry(sleep_through_the_answer, fail) == "answer"
    assert asked == 3
