"""Slows clients down that create work faster than the workers finish it.

A worker that is behind reports its delay and its rate for a key, such as a project, in the cache. While there is such
a report, each API process delays its answers so that about as much is created as is finished. Nothing is refused.
Without a cache or a worker there is no report, and no delay.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Self
from uuid import UUID

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from partywall.core.cache_keys import CacheKey, worker_delay
from partywall.core.log_masks import error_fields

log = structlog.get_logger(__name__)

# Seconds of delay up to which nobody is slowed down, and at which as much is admitted as the workers finish.
TOLERATED: Final = 1.75
BALANCED: Final = 2.0
# Bounds of the admitted share of the workers' rate.
LEAST, MOST = 0.1, 2.0
# The longest that one answer is delayed, in seconds.
LONGEST: Final = 5.0
# How often the reports are read while work is created, and how long a report is valid, in seconds.
READ_EVERY: Final = 0.25
VALID: Final = 3.0
# Keys without new work for so long, in seconds, are not looked up any more.
FORGOTTEN: Final = 5.0
# How many keys are looked up, the most recent ones.
LOOKED_UP: Final = 1_000
_REPORT: Final = struct.Struct("!dd")


@dataclass(frozen=True, slots=True)
class Report:
    """How long the oldest work waits, in seconds, and how much is finished per second."""

    delay: float
    rate: float

    @classmethod
    def of(cls, value: object) -> Self | None:
        """From the cache; None for anything but two sensible numbers."""
        if not isinstance(value, bytes) or len(value) != _REPORT.size:
            return None
        delay, rate = _REPORT.unpack(value)
        return cls(delay, rate) if math.isfinite(delay) and math.isfinite(rate) and rate > 0 else None

    @property
    def admitted(self) -> float | None:
        """How much may be created per second; None without a limit."""
        if self.delay <= TOLERATED:
            return None
        return self.rate * max(LEAST, min(MOST, 1.0 + 2 * (BALANCED - self.delay)))


@dataclass(slots=True)
class _Creator:
    used_at: float
    admitted: float | None = None
    paid_until: float = 0.0


class Backpressure:
    def __init__(self, cache: Redis, clock: Callable[[], float] = time.monotonic) -> None:
        self._cache = cache
        self._clock = clock
        self._creators: dict[UUID, _Creator] = {}
        self._in_use = asyncio.Event()

    async def report(self, key: UUID, delay: float, rate: float) -> None:
        """Reports a worker's delay in seconds and its rate per second. Errors of the cache are ignored."""
        try:
            await self._cache.set(_name(key), _REPORT.pack(delay, rate), px=int(1000 * VALID))
        except (RedisError, OSError) as error:
            log.debug("delay_not_reported", **error_fields(error))

    def delay(self, key: UUID, count: int = 1) -> float:
        """Counts `count` pieces of work that are committed. Returns how many seconds their answer has to wait.

        Wait after the commit and before the answer: nothing is held meanwhile, and only a creator can notice it.
        """
        now = self._clock()
        creator = self._creators.pop(key, None) or _Creator(now)
        self._creators[key] = creator  # last in line
        creator.used_at = now
        self._in_use.set()
        if creator.admitted is None:
            creator.paid_until = now
            return 0.0
        creator.paid_until = min(now + LONGEST, max(now, creator.paid_until) + count / creator.admitted)
        return creator.paid_until - now

    async def run(self) -> None:
        """Reads the reports for what is being created."""
        while True:
            await self._in_use.wait()
            await self.read()
            await asyncio.sleep(READ_EVERY)

    async def read(self) -> None:
        """Without an answer of the cache, nothing is delayed."""
        now = self._clock()
        recent = list(self._creators.items())[-LOOKED_UP:]
        self._creators = {key: each for key, each in recent if each.used_at > now - FORGOTTEN}
        if not self._creators:
            self._in_use.clear()
            return
        keys = list(self._creators)
        try:
            found = await self._cache.mget([_name(key) for key in keys])
        except (RedisError, OSError):
            found = [None] * len(keys)
        for key, value in zip(keys, found, strict=True):
            creator = self._creators.get(key)
            if creator is not None:
                report = Report.of(value)
                creator.admitted = None if report is None else report.admitted


def _name(key: UUID) -> CacheKey:
    return worker_delay(hashlib.sha256(key.bytes).digest())
