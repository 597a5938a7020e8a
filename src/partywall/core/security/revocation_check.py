"""Checks in a transaction that the caller's session was not revoked meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import Uuid, bindparam, func, select

from partywall.core.db.session import AsyncReadSession, AsyncSession, Sessions
from partywall.core.errors import InvalidTokenError
from partywall.core.security.authentication import VerifiedCredential

_CREDENTIAL: Final = "partywall.credential"
_IS_NOT_REVOKED: Final = select(
    func.wall.is_not_revoked(bindparam("account", type_=Uuid), bindparam("session", type_=Uuid))
)


async def is_not_revoked(session: AsyncReadSession, account_id: UUID, session_id: UUID) -> bool:
    """Whether account and session are valid, as seen now by the database session's transaction."""
    return bool(await session.scalar(_IS_NOT_REVOKED, {"account": account_id, "session": session_id}))


def bind_credential(session: AsyncSession, credential: VerifiedCredential) -> None:
    """Makes `check_not_revoked` check this credential's session."""
    session.info[_CREDENTIAL] = credential


async def check_not_revoked(session: AsyncSession) -> None:
    """Call it before creating something that outlives the caller's session, such as an API key or a webhook.

    Verified credentials are cached for some seconds, and a request may have waited. Call it while holding a lock of
    the project, which a takeover of the account takes too: then nothing can come in between. Raises InvalidTokenError.
    """
    credential: VerifiedCredential | None = session.info.get(_CREDENTIAL)
    if credential is None or credential.session_id is None:
        return
    if not await is_not_revoked(session, credential.principal.id, credential.session_id):
        raise InvalidTokenError


@dataclass(frozen=True, slots=True)
class RevocationCheck:
    """Checks that an access token's account is not disabled and its session not revoked."""

    sessions: Sessions

    async def is_not_revoked(self, account_id: UUID, session_id: UUID) -> bool:
        async with self.sessions.read() as session:
            return await is_not_revoked(session, account_id, session_id)
