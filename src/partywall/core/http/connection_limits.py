"""Limits of all connections of a process: how many, from one address, how slow, and how much unsent data."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import Final, Protocol

from partywall.core.http.address_limiter import AddressLimiter
from partywall.core.security.client_address import ClientAddresses

SWEEP_SECONDS: Final = 1.0
# How long a new connection has to begin a request, however many others there are.
GRACE_SECONDS: Final = 1.0
# How often a slow reader's progress is measured.
MEASURE_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Limits:
    """`total` connections, `each` from one address, `unserved` of them without a request; `rate` in bytes/s."""

    total: int
    each: int
    unserved: int
    header_seconds: float
    body_seconds: float
    rate: int
    unsent_bytes: int


class Connection(Protocol):
    """A client's connection."""

    def take_too_long(self) -> None:
        """Reports the timeout if an answer is still possible, and closes."""

    def end(self) -> None:
        """Closes at once and drops unsent data."""

    def waits_for_us(self) -> bool:
        """Whether the client is blocked because we do not read."""

    def unsent(self) -> int:
        """How many bytes are not sent yet."""


@dataclass(slots=True)
class _Reading:
    """A slow reader: its unsent bytes, and when to measure again."""

    unsent: int
    due: float


class Connections:
    """The connections of one process. A single timer checks all of them; requests start none."""

    def __init__(self, limits: Limits, clients: ClientAddresses) -> None:
        self.limits = limits
        self.address_limiter = AddressLimiter()
        self._clients = clients
        self._by_address: Counter[str] = Counter()
        self._sum = 0
        # In order of arrival.
        self._unserved: dict[str | None, dict[Connection, float]] = {}
        self._idle: dict[str | None, dict[Connection, None]] = {}
        self._due: dict[Connection, float] = {}
        self._behind: dict[Connection, _Reading] = {}
        self._timer: asyncio.TimerHandle | None = None

    @property
    def open(self) -> int:
        return self._sum

    def address_of(self, peer: str | None) -> str | None:
        """The address that the connection counts for; None for a trusted proxy, which counts only in the total."""
        return self._clients.of_peer(peer)

    def admit(self, connection: Connection, address: str | None) -> bool:
        """False if the limits leave no room.

        An address with too many connections without a request loses the oldest of these. When the total is reached, an
        idle connection is closed, or the oldest one that never sent a request.
        """
        if address is not None and self._by_address[address] >= self.limits.each:
            return False
        if self._sum >= self.limits.total and not self._make_room():
            return False
        self._sum += 1
        if address is not None:
            self._by_address[address] += 1
        waiting, now = self._unserved.setdefault(address, {}), self._now()
        waiting[connection] = now
        self.expect(connection, now + self.limits.header_seconds)
        self._thin_out(waiting, address, now)
        self._watch()
        return True

    def _thin_out(self, waiting: dict[Connection, float], address: str | None, now: float) -> None:
        """Closes the oldest. Spares new ones: their requests may have arrived but not been read."""
        while address is not None and len(waiting) > self.limits.unserved:
            if now - next(iter(waiting.values())) < GRACE_SECONDS:
                return
            self._end_first(waiting, address)

    def _make_room(self) -> bool:
        """Closes an idle connection of the address with the most, or one past its grace period without a request."""
        if self._idle:
            address = max(self._idle, key=lambda each: len(self._idle[each]))
            connection = next(iter(self._idle[address]))
            self.is_busy(connection, address)
            connection.end()
            return True
        now = self._now()
        for address, waiting in self._unserved.items():
            if now - next(iter(waiting.values())) >= GRACE_SECONDS:
                self._end_first(waiting, address)
                return True
        return False

    def _end_first(self, waiting: dict[Connection, float], address: str | None) -> None:
        """It still counts until it is lost, a moment later."""
        first = next(iter(waiting))
        self.forget(first, address)
        first.end()

    def is_idle(self, connection: Connection, address: str | None) -> None:
        """Its request is answered, and it has sent no other."""
        self._idle.setdefault(address, {})[connection] = None

    def is_busy(self, connection: Connection, address: str | None) -> None:
        idle = self._idle.get(address)
        if idle is not None:
            idle.pop(connection, None)
            if not idle:
                del self._idle[address]

    def forget(self, connection: Connection, address: str | None) -> None:
        """Stops tracking it: its first request has arrived, or it is closed."""
        waiting = self._unserved.get(address)
        if waiting is not None:
            waiting.pop(connection, None)
            if not waiting:
                del self._unserved[address]
        self._due.pop(connection, None)
        self._behind.pop(connection, None)
        self.is_busy(connection, address)

    def release(self, address: str | None) -> None:
        """Frees the slot of a lost connection."""
        self._sum -= 1
        if address is not None:
            self._by_address[address] -= 1
            if not self._by_address[address]:
                del self._by_address[address]

    def expect(self, connection: Connection, due: float) -> None:
        """Sets a deadline, in the loop's time, for its next data."""
        self._due[connection] = due

    def expect_nothing(self, connection: Connection) -> None:
        self._due.pop(connection, None)

    def falls_behind(self, connection: Connection) -> None:
        self._behind[connection] = _Reading(connection.unsent(), self._now() + MEASURE_SECONDS)

    def catches_up(self, connection: Connection) -> None:
        self._behind.pop(connection, None)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _watch(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(SWEEP_SECONDS, self.sweep)

    def sweep(self) -> None:
        """Checks late and slow connections."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = self._now()
        for address, waiting in list(self._unserved.items()):
            self._thin_out(waiting, address, now)
        for connection in [each for each, due in self._due.items() if due <= now]:
            if connection.waits_for_us():
                self._due[connection] = now + self.limits.header_seconds
            else:
                self.expect_nothing(connection)
                connection.take_too_long()
        self._measure(now)
        self._relieve()
        if self._sum:
            self._watch()

    def _measure(self, now: float) -> None:
        """Closes clients that read slower than the rate."""
        for connection, reading in list(self._behind.items()):
            if reading.due > now:
                continue
            unsent = connection.unsent()
            if reading.unsent - unsent < self.limits.rate * MEASURE_SECONDS:
                self.catches_up(connection)
                connection.end()
            else:
                self._behind[connection] = _Reading(unsent, now + MEASURE_SECONDS)

    def _relieve(self) -> None:
        """Closes the connections with the most unsent data when the total is too large."""
        unsent = {connection: connection.unsent() for connection in self._behind}
        total = sum(unsent.values())
        for connection in sorted(unsent, key=lambda each: unsent[each], reverse=True):
            if total <= self.limits.unsent_bytes:
                return
            total -= unsent[connection]
            self.catches_up(connection)
            connection.end()
