"""Tracks which tenants have used slots for long recently; those wait behind the others."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

# How many used seconds are forgotten in each second.
FORGOTTEN_EACH_SECOND: Final = 0.1
# Tenants above this share half of the slots.
MUCH_SECONDS: Final = 2.5


class RecentUse:
    """The seconds of use of each tenant, which decay over time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # When a tenant's use will have decayed to nothing.
        self._until: dict[str, float] = {}

    def add(self, name: str, seconds: float) -> None:
        now = self._clock()
        self._until = {each: until for each, until in self._until.items() if until > now}
        self._until[name] = max(now, self._until.get(name, now)) + seconds / FORGOTTEN_EACH_SECOND

    def of(self, name: str) -> float:
        return max(0.0, self._until.get(name, 0.0) - self._clock()) * FORGOTTEN_EACH_SECOND

    def is_much(self, name: str) -> bool:
        return self.of(name) > MUCH_SECONDS
