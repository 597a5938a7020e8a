"""Servers that fail one call after another are left alone for a while, so that nobody waits for them. Per process.

What a tenant's own requests make fail holds up that tenant alone: a server is left alone by all of them when it cannot
be reached, or fails the requests of several.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

FAILURES_UNTIL_OPEN: Final = 8
# Of these, so many of one tenant: some requests are such that a healthy server fails at them.
COUNTED_OF_EACH: Final = 2
OPEN_SECONDS: Final = 10.0
# Until one who is turned away while another tries may ask again.
TRIAL_SECONDS: Final = 2.0
_MOST_TENANTS: Final = 1_000

type Clock = Callable[[], float]


class CircuitOpenError(Exception):
    """The server was not asked; `after` so many seconds it may be."""

    def __init__(self, after: float, *, by_all: bool) -> None:
        super().__init__("the server has failed too often; it is left alone for some seconds")
        self.after = after
        self.by_all = by_all


@dataclass(slots=True)
class Breaker:
    """After so many failures in a row nobody asks for some seconds; then one may try, and the others wait for that."""

    clock: Clock = time.monotonic
    failures: int = 0
    _until: float = 0.0
    _trial: bool = False

    @property
    def is_open(self) -> bool:
        return self.failures >= FAILURES_UNTIL_OPEN

    def wait(self) -> float:
        """Seconds until the server may be asked, 0 for now."""
        left = max(0.0, self._until - self.clock()) if self.is_open else 0.0
        return min(left, TRIAL_SECONDS) if self._trial else left

    def begin(self) -> None:
        """Somebody asks. Whoever tries and never tells keeps nobody out for ever."""
        if self.is_open:
            self._trial, self._until = True, self.clock() + OPEN_SECONDS

    def fail(self) -> None:
        self.failures += 1
        self._trial, self._until = False, self.clock() + OPEN_SECONDS

    def try_again(self) -> None:
        """The trial has told nothing: another may try at once."""
        if self._trial:
            self._trial, self._until = False, self.clock()


@dataclass(slots=True)
class _Share:
    """A tenant whose last request failed; `counted` is how many of its failures count for all."""

    own: Breaker
    counted: int = 0


@dataclass(slots=True)
class Circuit:
    """Of one server."""

    clock: Clock = time.monotonic
    _all: Breaker = field(init=False)
    _shares: dict[str, _Share] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._all = Breaker(self.clock)

    def admit(self, tenant: str) -> None:
        """Raises CircuitOpenError where the server is not to be asked now. After a pause one may ask, and others after
        its outcome."""
        share = self._shares.get(tenant)
        own, shared = share.own.wait() if share else 0.0, self._all.wait()
        if own or shared:
            raise CircuitOpenError(max(own, shared), by_all=shared > 0)
        if share:
            share.own.begin()
        self._all.begin()

    def succeeded(self, tenant: str) -> None:
        self._shares.pop(tenant, None)
        if self._all.failures:
            self._all = Breaker(self.clock)
            for share in self._shares.values():
                share.counted = 0

    def unreached(self) -> None:
        """Nothing was sent, so it was nobody's request."""
        self._all.fail()

    def failed(self, tenant: str) -> None:
        """At a request of this tenant."""
        share = self._shares.pop(tenant, None) or _Share(Breaker(self.clock))
        self._shares[tenant] = share
        if len(self._shares) > _MOST_TENANTS:
            del self._shares[next(iter(self._shares))]
        share.own.fail()
        if share.counted < COUNTED_OF_EACH:
            share.counted += 1
            self._all.fail()
        else:
            self._all.try_again()


@dataclass(frozen=True, slots=True)
class Circuits:
    """One for each origin, `scheme://host:port`. For servers that the settings name: users could name any number."""

    clock: Clock = time.monotonic
    _by_origin: dict[str, Circuit] = field(default_factory=dict)

    def of(self, origin: str) -> Circuit:
        return self._by_origin.setdefault(origin, Circuit(self.clock))
