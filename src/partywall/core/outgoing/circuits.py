"""Servers that fail one call after another are left alone for a while, so that nobody waits for them. Per process."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

FAILURES_UNTIL_OPEN: Final = 8
OPEN_SECONDS: Final = 10.0

type Clock = Callable[[], float]


class CircuitOpenError(Exception):
    """The server was not asked."""

    def __init__(self) -> None:
        super().__init__("the server has failed too often; it is left alone for some seconds")


@dataclass(slots=True)
class Circuit:
    """After so many failures in a row nobody asks for some seconds; then one may try, and the others wait for that."""

    clock: Clock = time.monotonic
    failures: int = 0
    opens_again_at: float = 0.0

    def admits(self) -> bool:
        """Whether the server may be asked now; after a pause one may, then others after its outcome."""
        if self.failures < FAILURES_UNTIL_OPEN:
            return True
        now = self.clock()
        if now < self.opens_again_at:
            return False
        self.opens_again_at = now + OPEN_SECONDS
        return True

    def record(self, *, success: bool) -> None:
        self.failures = 0 if success else self.failures + 1
        if self.failures >= FAILURES_UNTIL_OPEN:
            self.opens_again_at = self.clock() + OPEN_SECONDS


@dataclass(frozen=True, slots=True)
class Circuits:
    """One for each origin, `scheme://host:port`. For servers that the settings name: users could name any number."""

    clock: Clock = time.monotonic
    _by_origin: dict[str, Circuit] = field(default_factory=dict)

    def of(self, origin: str) -> Circuit:
        return self._by_origin.setdefault(origin, Circuit(self.clock))
