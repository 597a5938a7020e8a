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

# What is counted, by its keyed hash, and the rule that it is held to.
type Counters = Mapping[bytes, WaitPolicy]


def _failures(row: LoginFailure) -> Failures:
    return Failures(row.failures, row.failed_at, row.locked_until)


async def counted_failures(session: AsyncReadSession, counters: Iterable[bytes]) -> dict[bytes, Failures]:
    """What is counted; nothing of what has no failures."""
    query = select(LoginFailure).where(LoginFailure.counter.in_(counters))
    return {row.counter: _failures(row) for row in await session.scalars(query)}


def longest_wait(found: Mapping[bytes, Failures], now: datetime) -> timedelta | None:
    return max(filter(None, (locked_for(each, now) for each in found.values())), default=None)


@dataclass(frozen=True, slots=True)
class FailureCounter:
    """Counts attempts as failures before they are made; attempts at once take turns."""

    session: AsyncSession

    async def charge(self, address: bytes, counters: Counters, now: datetime) -> timedelta | None:
        """Counts one attempt under every counter, or answers how long it has to wait, and then counts nothing.

        `address` is the keyed hash of the address that all of them are about.
        """
        found = await self._open(address, counters, now)
        wait = longest_wait(found, now)
        if wait is not None:
            return wait
        for counter, policy in counters.items():
            counted = after_failure(found[counter], policy, now)
            await self._save(counter, counted)
            if counted.locked_until is not None:
                log.warning("login_locked", failures=counted.count, until=counted.locked_until.isoformat())
        return None

    async def lift(self, address: bytes) -> None:
        """Forgets all that is counted of an address, from every network."""
        # Locked in the order of `charge`.
        counters = select(LoginFailure.counter).where(LoginFailure.address_hash == address)
        locked = list(await self.session.scalars(counters.order_by(LoginFailure.counter).with_for_update()))
        await self.session.execute(delete(LoginFailure).where(LoginFailure.counter.in_(locked)))

    async def succeeded(self, own: bytes, shared: Collection[bytes]) -> None:
        """An attempt was no failure after all: its own counter is forgotten, and taken back from those it shares."""
        # Locked in the order of `charge`; a row that comes into being behind this is left to who made it.
        counters = select(LoginFailure.counter).where(LoginFailure.counter.in_([own, *shared]))
        locked = set(await self.session.scalars(counters.order_by(LoginFailure.counter).with_for_update()))
        if own in locked:
            await self.session.execute(delete(LoginFailure).where(LoginFailure.counter == own))
        fewer = update(LoginFailure).where(LoginFailure.counter.in_(locked.intersection(shared)))
        await self.session.execute(
            fewer.values(failures=func.greatest(LoginFailure.failures - 1, 0), locked_until=None)
        )

    async def prune(self, before: datetime) -> None:
        """Drops some of what no longer counts, so that guessed addresses do not pile up."""
        stale = (
            select(LoginFailure.counter)
            .where(LoginFailure.failed_at < before)
            .limit(_PRUNED_AT_ONCE)
            .with_for_update(skip_locked=True)
        )
        await self.session.execute(delete(LoginFailure).where(LoginFailure.counter.in_(stale)))

    async def _open(self, address: bytes, counters: Iterable[bytes], now: datetime) -> dict[bytes, Failures]:
        """The counters, locked, and made where there were none; in one order, so that nobody waits in vain."""
        rows = [
            {"counter": counter, "address_hash": address, "failures": 0, "failed_at": now}
            for counter in sorted(counters)
        ]
        opened = insert(LoginFailure).values(rows)
        # What is set changes nothing: it locks the row.
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
