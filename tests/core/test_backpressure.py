"""Creators are slowed down while a worker reports that it is behind, and only then."""

from __future__ import annotations

import hashlib
import math
import struct
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from partywall.core.backpressure import (
    BALANCED,
    FORGOTTEN,
    LONGEST,
    TOLERATED,
    VALID,
    Backpressure,
    Report,
)
from partywall.core.cache_keys import worker_delay
from partywall.core.caches import create_cache
from partywall.core.resources import Resources


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def cache(resources: Resources) -> Redis:
    return resources.cache


async def test_without_a_report_nothing_is_delayed(cache: Redis) -> None:
    backpressure, key = Backpressure(cache), uuid4()
    assert [backpressure.delay(key) for _ in range(1_000)] == [0.0] * 1_000
    await backpressure.read()
    assert backpressure.delay(key) == 0.0


async def test_answers_are_spread_at_the_workers_rate(cache: Redis) -> None:
    backpressure, worker, key = Backpressure(cache, Clock()), Backpressure(cache), uuid4()
    backpressure.delay(key)
    await worker.report(key, BALANCED, 50.0)
    await backpressure.read()
    assert [backpressure.delay(key) for _ in range(3)] == pytest.approx([0.02, 0.04, 0.06])
    assert backpressure.delay(key, 100) == pytest.approx(2.06)
    assert backpressure.delay(key, 1_000_000) == LONGEST


async def test_only_the_reported_key_is_delayed(cache: Redis) -> None:
    backpressure, behind, other = Backpressure(cache), uuid4(), uuid4()
    backpressure.delay(behind)
    backpressure.delay(other)
    await backpressure.report(behind, BALANCED, 50.0)
    await backpressure.read()
    assert backpressure.delay(behind) > 0
    assert backpressure.delay(other) == 0.0


async def test_a_worker_that_stops_reporting_delays_nobody(cache: Redis) -> None:
    backpressure, key = Backpressure(cache), uuid4()
    backpressure.delay(key)
    await backpressure.report(key, BALANCED, 50.0)
    name = worker_delay(hashlib.sha256(key.bytes).digest())
    assert 0 < await cache.pttl(name) <= 1000 * VALID
    await cache.delete(name)
    await backpressure.read()
    assert backpressure.delay(key) == 0.0


async def test_without_a_cache_nothing_is_delayed(cache: Redis) -> None:
    away, key = Backpressure(create_cache("redis://127.0.0.1:1")), uuid4()
    away.delay(key)
    await away.report(key, BALANCED, 50.0)
    await away.read()
    assert away.delay(key) == 0.0


async def test_keys_that_are_not_used_are_forgotten(cache: Redis) -> None:
    clock = Clock()
    backpressure, key = Backpressure(cache, clock), uuid4()
    backpressure.delay(key)
    clock.now += FORGOTTEN + 1
    await backpressure.report(key, BALANCED, 50.0)
    await backpressure.read()
    assert backpressure.delay(key) == 0.0


async def test_a_debt_of_delays_is_bounded_and_ends_with_the_report(cache: Redis) -> None:
    backpressure, key = Backpressure(cache, Clock()), uuid4()
    backpressure.delay(key)
    await backpressure.report(key, BALANCED, 1.0)
    await backpressure.read()
    backpressure.delay(key, 1_000_000)
    await backpressure.report(key, BALANCED, 1_000.0)
    await backpressure.read()
    assert backpressure.delay(key, 0) <= LONGEST
    await backpressure.report(key, 0.0, 1.0)
    await backpressure.read()
    assert backpressure.delay(key) == 0.0
    await backpressure.report(key, BALANCED, 1_000.0)
    await backpressure.read()
    assert backpressure.delay(key) == pytest.approx(0.001)


@pytest.mark.parametrize(
    "value", [None, b"", b"short", struct.pack("!dd", 4.0, 0.0), struct.pack("!dd", math.nan, 5.0),
              struct.pack("!dd", 4.0, math.inf), struct.pack("!dd", 4.0, -1.0), "text"],
)  # fmt: skip
def test_a_report_that_makes_no_sense_is_ignored(value: object) -> None:
    assert Report.of(value) is None


def test_the_longer_work_waits_the_less_is_admitted() -> None:
    assert Report(TOLERATED, 100.0).admitted is None
    assert Report(BALANCED, 100.0).admitted == 100.0
    admitted = [Report(delay, 100.0).admitted or 0.0 for delay in (TOLERATED + 0.1, BALANCED, BALANCED + 0.2, 10, 60)]
    assert admitted == sorted(admitted, reverse=True)
    assert admitted[0] > 100 > admitted[2] > admitted[3] > 0
