"""Circuit breakers for servers that fail repeatedly: calls fail at once for a while instead of waiting. Per process.

Failures of one tenant's requests open the circuit for that tenant only. It opens for all tenants when the server cannot
be reached, or fails the requests of several.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

FAILURES_UNTIL_OPEN: Final = 8
# How many failures of one tenant count: a healthy server may fail at some requests.
COUNTED_OF_EACH: Final = 2
OPEN_SECONDS: Final = 10.0
# How long callers that are rejected during a trial wait before they ask again.
TRIAL_SECONDS: Final = 2.0
_MOST_TENANTS: Final = 1_000

type Clock = Callable[[], float]


class CircuitOpenError(Exception):
    """The server was not called; it may be called again after `after` seconds. `by_all`: for all tenants."""

    def __init__(self, after: float, *, by_all: bool) -> None:
        super().__init__("the server has failed too often; calls are paused for some seconds")
        self.after = after
        self.by_all = by_all


@dataclass(slots=True)
class Breaker:
    """Opens after FAILURES_UNTIL_OPEN failures in a row. After OPEN_SECONDS one trial is let through; others wait."""

    clock: Clock = time.monotonic
    failures: int = 0
    _until: float = 0.0
    _trial: bool = False

    @property
    def is_open(self) -> bool:
        return self.failures >= FAILURES_UNTIL_OPEN

    def wait(self) -> float:
        """Seconds until the server may be called, 0 for now."""
        left = max(0.0, self._until - self.clock()) if self.is_open else 0.0
        return min(left, TRIAL_SECONDS) if self._trial else left

    def begin(self) -> None:
        """A call begins. A trial without an outcome ends after OPEN_SECONDS."""
        if self.is_open:
            self._trial, self._until = True, self.clock() + OPEN_SECONDS

    def fail(self) -> None:
        self.failures += 1
        self._trial, self._until = False, self.clock() + OPEN_SECONDS

    def try_again(self) -> None:
        """The trial was inconclusive: the next may begin at once."""
        if self._trial:
            self._trial, self._until = False, self.clock()


@dataclass(slots=True)
class _Share:
    """A tenant whose last request failed; `counted` of its failures count for all tenants."""

    own: Breaker
    counted: int = 0


@dataclass(slots=True)
class Circuit:
    """The circuit of one server."""

    clock: Clock = time.monotonic
    _all: Breaker = field(init=False)
    _shares: dict[str, _Share] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._all = Breaker(self.clock)

    def admit(self, tenant: str) -> None:
        """Raises CircuitOpenError if the server may not be called now. After a pause, one call is admitted as a trial,
        others after its outcome."""
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
        """The server could not be reached: no tenant's request caused this."""
        self._all.fail()

    def failed(self, tenant: str) -> None:
        """The server failed a request of this tenant."""
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
    """One circuit per origin, `scheme://host:port`. Only for servers in the settings: users could name any number."""

    clock: Clock = time.monotonic
    _by_origin: dict[str, Circuit] = field(default_factory=dict)

    def of(self, origin: str) -> Circuit:
        return self._by_origin.setdefault(origin, Circuit(self.clock))
