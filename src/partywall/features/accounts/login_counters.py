"""Which failure counters apply to a login attempt.

For a known network, only the failures from that network count. For an unknown network, the failures from all unknown
networks count too, so that an attacker with many networks gets no more guesses than one with a few.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from partywall.core.clock import utc_now
from partywall.core.db.session import AsyncReadSession, Sessions
from partywall.features.accounts.failure_repository import Charged, FailureCounter, counted_failures, longest_wait
from partywall.features.accounts.known_networks import Origin, is_known
from partywall.features.accounts.lockout import WaitPolicy


@dataclass(frozen=True, slots=True)
class LoginAttempt:
    """`known`: the address has logged in from this network before. `locked`: the remaining lockout, or None."""

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

    async def charge(self, sessions: Sessions, attempt: LoginAttempt) -> Charged:
        """Count the attempt as a failure, in its own transaction, unless it must wait."""
        now = utc_now()
        async with sessions.begin() as session:
            counter = FailureCounter(session)
            counters = self._counters(attempt.origin, known=attempt.known)
            charged = await counter.charge(attempt.origin.address, counters, now)
            await counter.prune(now - self.of_one_network.memory)
        return charged

    async def succeeded(self, sessions: Sessions, attempt: LoginAttempt) -> None:
        """Take the failure back in its own transaction, so that waiting concurrent logins do not see it."""
        shared = [] if attempt.known else [attempt.origin.address]
        async with sessions.begin() as session:
            await FailureCounter(session).succeeded(attempt.origin.network, shared)

    def _counters(self, origin: Origin, *, known: bool) -> dict[bytes, WaitPolicy]:
        own = {origin.network: self.of_one_network}
        return own if known else own | {origin.address: self.of_unknown_networks}
