"""Pauses between attempts: they grow with each failure; jitter spreads the attempts of many that failed together."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

# More than any pause needs to reach its limit; keeps the numbers finite.
_MOST_STEPS: Final = 20


def grown[P: (timedelta, float)](first: P, attempt: int, longest: P | None = None, factor: float = 2.0) -> P:
    """The pause after failed attempt number `attempt`, from 1: `first`, then `factor` times the one before."""
    pause = first * factor ** min(attempt - 1, _MOST_STEPS)
    return pause if longest is None else min(pause, longest)


def jittered[P: (timedelta, float)](
    pause: P, least: float = 0.5, most: float = 1.0, uniform: Callable[[float, float], float] = random.uniform
) -> P:
    """The pause, multiplied by a random number from `least` to `most`."""
    return pause * uniform(least, most)


@dataclass(slots=True)
class RestartPauses:
    """Seconds before each restart of something that ends: they double, and begin again once it lived for `steady`."""

    first: float
    longest: float
    steady: float
    _ended: int = field(default=0, init=False)

    def next(self, lived: float) -> float:
        self._ended = 1 if lived >= self.steady else self._ended + 1
        return grown(self.first, self._ended, self.longest)
