"""Counts failed logins, which lockout decides by."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from partywall.core.db.session import AsyncReadSession, AsyncSession
from partywall.features.accounts.lockout import Failures, WaitPolicy, after_failure, locked_for
from partywall.features.accounts.models import LoginFailure

log = structlog.get_logger(__name__)

_PRUNED_AT_ONCE: Final = 20

# The policy of each counter, by the counter's keyed hash.
type Counters = Mapping[bytes, WaitPolicy]


def _failures(row: LoginFailure) -> Failures:
    return Failures(row.failures, row.failed_at, row.locked_until)


async def counted_failures(session: AsyncReadSession, counters: Iterable[bytes]) -> dict[bytes, Failures]:
    """The failures by counter; counters without failures are left out."""
    query = select(LoginFailure).where(LoginFailure.counter.in_(counters))
    return {row.counter: _failures(row) for row in await session.scalars(query)}


def longest_wait(found: Mapping[bytes, Failures], now: datetime) -> timedelta | None:
    return max(filter(None, (locked_for(each, now) for each in found.values())), default=None)


@dataclass(frozen=True, slots=True)
class Charged:
    """`wait`: nothing was counted, because the attempt must wait. `locked`: the counters that it has locked."""

    wait: timedelta | None
    locked: frozenset[bytes] = frozenset()


@dataclass(frozen=True, slots=True)
class FailureCounter:
    """Counts attempts as failures before they are made. Row locks serialise concurrent attempts."""

    session: AsyncSession

    async def charge(self, address: bytes, counters: Counters, now: datetime) -> Charged:
        """Count one attempt under every counter, unless it must wait.

        `address` is the keyed hash of the e-mail address that all counters belong to.
        """
        found = await self._open(address, counters, now)
        wait = longest_wait(found, now)
        if wait is not None:
            return Charged(wait)
        locked = set()
        for counter, policy in counters.items():
            counted = after_failure(found[counter], policy, now)
            await self._save(counter, counted)
            if counted.locked_until is not None:
                locked.add(counter)
                log.warning("login_locked", failures=counted.count, until=counted.locked_until.isoformat())
        return Charged(None, frozenset(locked))

    async def lift(self, address: bytes) -> None:
        """Delete all counters of an address, for every network."""
        # Lock in the same order as `charge`.
        counters = select(LoginFailure.counter).where(LoginFailure.address_hash == address)
        locked = list(await self.session.scalars(counters.order_by(LoginFailure.counter).with_for_update()))
        await self.session.execute(delete(LoginFailure).where(LoginFailure.counter.in_(locked)))

    async def succeeded(self, own: bytes, shared: Collection[bytes]) -> None:
        """Take back an attempt that succeeded: delete its own counter and decrement the shared ones."""
        # Lock in the same order as `charge`. Rows that others insert meanwhile are not changed.
        counters = select(LoginFailure.counter).where(LoginFailure.counter.in_([own, *shared]))
        locked = set(await self.session.scalars(counters.order_by(LoginFailure.counter).with_for_update()))
        if own in locked:
            await self.session.execute(delete(LoginFailure).where(LoginFailure.counter == own))
        fewer = update(LoginFailure).where(LoginFailure.counter.in_(locked.intersection(shared)))
        await self.session.execute(
            fewer.values(failures=func.greatest(LoginFailure.failures - 1, 0), locked_until=None)
        )

    async def prune(self, before: datetime) -> None:
        """Delete some stale counters, so that guessed addresses do not accumulate."""
        stale = (
            select(LoginFailure.counter)
            .where(LoginFailure.failed_at < before)
            .limit(_PRUNED_AT_ONCE)
            .with_for_update(skip_locked=True)
        )
        await self.session.execute(delete(LoginFailure).where(LoginFailure.counter.in_(stale)))

    async def _open(self, address: bytes, counters: Iterable[bytes], now: datetime) -> dict[bytes, Failures]:
        """Lock the counters, creating missing ones. The fixed order avoids deadlocks."""
        rows = [
            {"counter": counter, "address_hash": address, "failures": 0, "failed_at": now}
            for counter in sorted(counters)
        ]
        opened = insert(LoginFailure).values(rows)
        # A no-op update, only to lock the row.
        opened = opened.on_conflict_do_update(
            index_elements=[LoginFailure.counter], set_={"failures": LoginFailure.failures}
        )
        return {row.counter: _failures(row) for row in await self.session.scalars(opened.returning(LoginFailure))}

    async def _save(self, counter: bytes, failures: Failures) -> None:
        await self.session.execute(
            update(LoginFailure)
            .where(LoginFailure.counter == counter)
            .values(failures=failures.count, failed_at=failures.failed_at, locked_until=failures.locked_until)
        )
