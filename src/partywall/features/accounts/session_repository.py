from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, insert, or_, select, text, update

from partywall.core.db.keyset import After, Keyset
from partywall.core.db.session import AsyncReadSession, AsyncSession
from partywall.core.ids import new_id
from partywall.features.accounts.models import RefreshToken, Session
from partywall.features.accounts.rotation import PresentedToken

KEYSET: Final = Keyset({"created_at": Session.created_at}, Session.id)

# One statement: of two requests with the same token, one rotates it and the other finds it used.
_ROTATE: Final = text("""
    WITH used AS (
        UPDATE refresh_token AS token SET used_at = clock_timestamp()
        FROM session JOIN account ON account.id = session.account_id
        WHERE token.token_hash = :presented AND token.used_at IS NULL AND session.id = token.session_id
            AND session.revoked_at IS NULL AND session.expires_at > now() AND account.disabled_at IS NULL
        RETURNING token.account_id, token.session_id
    ), prolonged AS (
        UPDATE session SET last_used_at = now(), expires_at = :expires_at
        WHERE id = (SELECT session_id FROM used)
    )
    INSERT INTO refresh_token (token_hash, account_id, session_id)
    SELECT CAST(:successor AS bytea), account_id, session_id FROM used
    RETURNING session_id
""")
_PRESENTED: Final = text("""
    SELECT token.session_id, token.used_at IS NOT NULL AS used,
        EXISTS (SELECT FROM refresh_token AS next WHERE next.token_hash = :successor AND next.used_at IS NULL)
            AS successor_waits,
        session.revoked_at IS NULL AND session.expires_at > now() AND account.disabled_at IS NULL AS session_lives
    FROM refresh_token AS token
        JOIN session ON session.id = token.session_id
        JOIN account ON account.id = token.account_id
    WHERE token.token_hash = :presented
""")


def _living(account_id: UUID) -> tuple[ColumnElement[bool], ...]:
    return Session.account_id == account_id, Session.revoked_at.is_(None), Session.expires_at > func.now()


@dataclass(frozen=True, slots=True)
class SessionRepository:
    """The living sessions of the bound user."""

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
    """Starts, prolongs and ends the bound user's sessions."""

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

    async def rotate(self, presented: bytes, successor: bytes, expires_at: datetime) -> UUID | None:
        """Uses a token up and stores its successor; None unless the token was good."""
        values = {"presented": presented, "successor": successor, "expires_at": expires_at}
        session_id: UUID | None = await self.session.scalar(_ROTATE, values)
        return session_id

    async def presented(self, presented: bytes, successor: bytes) -> PresentedToken | None:
        values = {"presented": presented, "successor": successor}
        row = (await self.session.execute(_PRESENTED, values)).one_or_none()
        return None if row is None else PresentedToken(*row)

    async def revoke(self, session_id: UUID) -> bool:
        """Whether there was a living session to end."""
        ended = await self.session.scalar(
            update(Session)
            .where(*_living(self.account_id), Session.id == session_id)
            .values(revoked_at=func.now())
            .returning(Session.id)
        )
        return ended is not None

    async def end_oldest(self, kept: int) -> None:
        """Ends the living sessions beyond so many, those first that were not used for longest."""
        oldest = select(Session.id).where(*_living(self.account_id)).order_by(Session.last_used_at.desc()).offset(kept)
        await self.session.execute(
            update(Session)
            .where(Session.account_id == self.account_id, Session.id.in_(oldest))
            .values(revoked_at=func.now())
            .execution_options(synchronize_session=False)
        )

    async def prune_sessions(self, expired: datetime, revoked: datetime) -> None:
        """Drops sessions that expired before the one, or were revoked before the other instant."""
        over = or_(Session.expires_at < expired, Session.revoked_at < revoked)
        await self.session.execute(delete(Session).where(Session.account_id == self.account_id, over))

    async def prune_tokens(self, session_id: UUID, before: datetime) -> None:
        """Drops a living session's tokens that were used before then: they would have expired by now."""
        await self.session.execute(
            delete(RefreshToken).where(
                RefreshToken.account_id == self.account_id,
                RefreshToken.session_id == session_id,
                RefreshToken.used_at < before,
            )
        )
