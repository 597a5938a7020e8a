"""Learns how many texts a server accepts in one request."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

# A learned size is doubled after so many requests or seconds; each time that fails, the wait doubles.
GROW_AFTER: Final = 64
GROW_SECONDS: Final = 300.0
_LONGEST_FACTOR: Final = 16

type Clock = Callable[[], float]


@dataclass(slots=True)
class RequestSize:
    """`limit` is the configured size; `most` shrinks when the server refuses more, and grows again."""

    limit: int
    clock: Clock = time.monotonic
    most: int = field(init=False)
    _taken: int = 0
    _since: float = 0.0
    _factor: int = 1
    _has_grown: bool = False

    def __post_init__(self) -> None:
        self.most = self.limit

    def grow(self) -> None:
        """Call before the requests of a call."""
        due = self._taken >= GROW_AFTER * self._factor or self.clock() - self._since >= GROW_SECONDS * self._factor
        if self.most < self.limit and due:
            self._set(min(2 * self.most, self.limit), has_grown=True)

    def took(self, count: int) -> None:
        if count < self.most:
            return
        self._taken += 1
        if self._has_grown:
            self._has_grown, self._factor = False, 1

    def refused(self, count: int) -> None:
        """The server refused `count` texts together but accepted each part."""
        if count > self.most:  # a concurrent call has shrunk it already
            return
        self._factor = min(2 * self._factor, _LONGEST_FACTOR) if self._has_grown else 1
        self._set((count + 1) // 2, has_grown=False)

    def _set(self, most: int, *, has_grown: bool) -> None:
        self.most, self._has_grown = most, has_grown
        self._taken, self._since = 0, self.clock()
