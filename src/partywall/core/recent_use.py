"""Who has kept places for long of late, and has to wait behind the others."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

# Of each second that passes, so much of what was used is forgotten.
FORGOTTEN_EACH_SECOND: Final = 0.1
# Whoever has used more than that shares half of the places with all others who have.
MUCH_SECONDS: Final = 2.5


class RecentUse:
    """The seconds that each tenant has used, of which a part is forgotten in every second."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # When all that a tenant has used will be forgotten.
        self._until: dict[str, float] = {}

    def add(self, name: str, seconds: float) -> None:
        now = self._clock()
        self._until = {each: until for each, until in self._until.items() if until > now}
        self._until[name] = max(now, self._until.get(name, now)) + seconds / FORGOTTEN_EACH_SECOND

    def of(self, name: str) -> float:
        return max(0.0, self._until.get(name, 0.0) - self._clock()) * FORGOTTEN_EACH_SECOND

    def is_much(self, name: str) -> bool:
        return self.of(name) > MUCH_SECONDS
