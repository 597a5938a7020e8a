from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert

from partywall.core.db.session import AsyncReadSession, AsyncSession
from partywall.features.accounts.lockout import Failures
from partywall.features.accounts.models import LoginFailure

_PRUNED_AT_ONCE: Final = 20


def _failures(row: LoginFailure | None) -> Failures | None:
    return None if row is None else Failures(row.failures, row.failed_at, row.locked_until)


async def counted_failures(session: AsyncReadSession, address_hash: bytes) -> Failures | None:
    """What is counted for an address, by its keyed hash."""
    query = select(LoginFailure).where(LoginFailure.address_hash == address_hash)
    return _failures(await session.scalar(query))


@dataclass(frozen=True, slots=True)
class FailureCounter:
    """Counts the failures of one address; attempts at once take turns."""

    session: AsyncSession
    address_hash: bytes

    async def lock(self) -> Failures | None:
        query = select(LoginFailure).where(LoginFailure.address_hash == self.address_hash).with_for_update()
        return _failures(await self.session.scalar(query))

    async def open(self, now: datetime) -> Failures | None:
        """Like `lock`, with a row to lock where there was none: of two first failures neither is lost."""
        row = insert(LoginFailure).values(address_hash=self.address_hash, failures=0, failed_at=now)
        await self.session.execute(row.on_conflict_do_nothing())
        return await self.lock()

    async def save(self, failures: Failures) -> None:
        await self.session.execute(
            update(LoginFailure)
            .where(LoginFailure.address_hash == self.address_hash)
            .values(failures=failures.count, failed_at=failures.failed_at, locked_until=failures.locked_until)
        )

    async def clear(self) -> None:
        await self.session.execute(delete(LoginFailure).where(LoginFailure.address_hash == self.address_hash))

    async def prune(self, before: datetime) -> None:
        """Drops some of what no longer counts, so that guessed addresses do not pile up."""
        stale = (
            select(LoginFailure.address_hash)
            .where(LoginFailure.failed_at < before)
            .limit(_PRUNED_AT_ONCE)
            .with_for_update(skip_locked=True)
        )
        await self.session.execute(delete(LoginFailure).where(LoginFailure.address_hash.in_(stale)))
