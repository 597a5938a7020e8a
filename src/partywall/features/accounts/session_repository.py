from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, insert, or_, select, update

from partywall.core.db.driver_errors import reported
from partywall.core.db.keyset import After, Keyset
from partywall.core.db.read_pool import ReadPool
from partywall.core.db.session import AsyncReadSession, AsyncSession
from partywall.core.ids import new_id
from partywall.features.accounts.models import RefreshToken, Session
from partywall.features.accounts.rotation import PresentedToken

KEYSET: Final = Keyset({"created_at": Session.created_at}, Session.id)

_REFRESH: Final = (
    "SELECT account_id, session_id, wait, rotated, used, successor_waits, session_lives"
    " FROM wall.refresh($1, $2, $3, $4, $5)"
)


class Refreshing(NamedTuple):
    """The result for a presented token: exchanged if `rotated`, not examined if the caller must `wait` (seconds)."""

    account_id: UUID
    session_id: UUID
    wait: int | None
    rotated: bool
    presented: PresentedToken


@dataclass(frozen=True, slots=True)
class Rotation:
    """Exchanges refresh tokens in one statement, which is also the transaction."""

    pool: ReadPool
    ttl: timedelta
    per_minute: int

    async def refresh(self, presented: bytes, successor: bytes, now: datetime) -> Refreshing | None:
        """Use up a token, extend its session and store the successor. None if there is no such token."""
        with reported():
            rows = await self.pool.fetch(
                _REFRESH, presented, successor, now + self.ttl, now - self.ttl, self.per_minute
            )
        if not rows:
            return None
        account_id, session_id, wait, rotated, *facts = rows[0]
        return Refreshing(account_id, session_id, wait, rotated, PresentedToken(session_id, *facts))


def _living(account_id: UUID) -> tuple[ColumnElement[bool], ...]:
    return Session.account_id == account_id, Session.revoked_at.is_(None), Session.expires_at > func.now()


@dataclass(frozen=True, slots=True)
class SessionRepository:
    """The active sessions of the bound user."""

    session: AsyncReadSession
    account_id: UUID

    async def page(self, sort: str, limit: int, offset: int, after: After | None) -> list[Session]:
        query = KEYSET.page(select(Session).where(*_living(self.account_id)), sort, limit, offset, after)
        return list(await self.session.scalars(query))

    async def count(self) -> int:
        query = select(func.count()).select_from(Session).where(*_living(self.account_id))
        return await self.session.scalar(query) or 0

    async def of_token(self, token_hash: bytes) -> UUID | None:
        query = select(RefreshToken.session_id).where(
            RefreshToken.account_id == self.account_id, RefreshToken.token_hash == token_hash
        )
        return await self.session.scalar(query)


@dataclass(frozen=True, slots=True)
class SessionWriter:
    """Starts, ends and prunes the bound user's sessions."""

    session: AsyncSession
    account_id: UUID

    async def start(self, token_hash: bytes, user_agent: str | None, expires_at: datetime) -> UUID:
        id_ = new_id()
        await self.session.execute(
            insert(Session).values(id=id_, account_id=self.account_id, user_agent=user_agent, expires_at=expires_at)
        )
        await self.session.execute(
            insert(RefreshToken).values(token_hash=token_hash, account_id=self.account_id, session_id=id_)
        )
        return id_

    async def revoke(self, session_id: UUID) -> bool:
        """End a session. False if there was no such active session."""
        ended = await self.session.scalar(
            update(Session)
            .where(*_living(self.account_id), Session.id == session_id)
            .values(revoked_at=func.now())
            .returning(Session.id)
        )
        return ended is not None

    async def end_oldest(self, kept: int) -> None:
        """End all active sessions except the `kept` most recently used."""
        oldest = select(Session.id).where(*_living(self.account_id)).order_by(Session.last_used_at.desc()).offset(kept)
        await self.session.execute(
            update(Session)
            .where(Session.account_id == self.account_id, Session.id.in_(oldest))
            .values(revoked_at=func.now())
            .execution_options(synchronize_session=False)
        )

    async def prune_sessions(self, expired: datetime, revoked: datetime) -> None:
        """Delete sessions that expired before `expired` or were revoked before `revoked`."""
        over = or_(Session.expires_at < expired, Session.revoked_at < revoked)
        await self.session.execute(delete(Session).where(Session.account_id == self.account_id, over))
