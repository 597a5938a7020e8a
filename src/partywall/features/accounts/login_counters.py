"""Which counters an attempt to log in is held to.

From a network that the account's owner has logged in from it is judged by its own failures alone. From any other it is
judged by its own and by those of all strangers together, so that many networks get no more guesses than a few.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from partywall.core.clock import utc_now
from partywall.core.db.session import AsyncReadSession, Sessions
from partywall.features.accounts.failure_repository import FailureCounter, counted_failures, longest_wait
from partywall.features.accounts.known_networks import Origin, is_known
from partywall.features.accounts.lockout import WaitPolicy


@dataclass(frozen=True, slots=True)
class LoginAttempt:
    """An attempt from a network that is `known` for the address or not, and how long it is `locked`."""

    origin: Origin
    known: bool
    locked: timedelta | None


@dataclass(frozen=True, slots=True)
class LoginCounters:
    of_one_network: WaitPolicy
    of_unknown_networks: WaitPolicy
    known_for: timedelta

    async def find(self, session: AsyncReadSession, origin: Origin) -> LoginAttempt:
        now = utc_now()
        known = await is_known(session, origin, now - self.known_for)
        found = await counted_failures(session, self._counters(origin, known=known))
        return LoginAttempt(origin, known, longest_wait(found, now))

    async def charge(self, sessions: Sessions, attempt: LoginAttempt) -> timedelta | None:
        """Counts it as a failure, in a transaction of its own, or answers how long it has to wait."""
        now = utc_now()
        async with sessions.begin() as session:
            counter = FailureCounter(session)
            counters = self._counters(attempt.origin, known=attempt.known)
            wait = await counter.charge(attempt.origin.address, counters, now)
            await counter.prune(now - self.of_one_network.memory)
        return wait

    async def succeeded(self, sessions: Sessions, attempt: LoginAttempt) -> None:
        """At once and by itself, so that of many logins at once those that wait are not held to it."""
        shared = [] if attempt.known else [attempt.origin.address]
        async with sessions.begin() as session:
            await FailureCounter(session).succeeded(attempt.origin.network, shared)

    def _counters(self, origin: Origin, *, known: bool) -> dict[bytes, WaitPolicy]:
        own = {origin.network: self.of_one_network}
        return own if known else own | {origin.address: self.of_unknown_networks}
