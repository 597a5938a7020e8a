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
    """As it is at this moment of the session's own transaction."""
    return bool(await session.scalar(_IS_NOT_REVOKED, {"account": account_id, "session": session_id}))


def bind_credential(session: AsyncSession, credential: VerifiedCredential) -> None:
    """Has `check_not_revoked` ask for this credential's session."""
    session.info[_CREDENTIAL] = credential


async def check_not_revoked(session: AsyncSession) -> None:
    """Before something is made that outlives the caller's session, such as a key or an address that events go to.

    Verified credentials are believed for some seconds, and a request may have waited. Behind a lock of the project,
    which a takeover of the account takes too, nothing comes in between. Raises InvalidTokenError.
    """
    credential: VerifiedCredential | None = session.info.get(_CREDENTIAL)
    if credential is None or credential.session_id is None:
        return
    if not await is_not_revoked(session, credential.principal.id, credential.session_id):
        raise InvalidTokenError


@dataclass(frozen=True, slots=True)
class RevocationCheck:
    """Whether an access token's account and session are still good: neither disabled nor revoked."""

    sessions: Sessions

    async def is_not_revoked(self, account_id: UUID, session_id: UUID) -> bool:
        async with self.sessions.read() as session:
            return await is_not_revoked(session, account_id, session_id)
