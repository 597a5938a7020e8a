from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import Uuid, bindparam, func, select

from partywall.core.db.session import AsyncReadSession, AsyncSession, Sessions
from partywall.core.errors import InvalidTokenError
from partywall.core.security.authentication import VerifiedCredential

_CREDENTIAL: Final = "partywall.credential"
_MAY_ACT: Final = select(func.wall.may_act(bindparam("account", type_=Uuid), bindparam("session", type_=Uuid)))


async def may_act(session: AsyncReadSession, account_id: UUID, session_id: UUID) -> bool:
    """As it is at this moment of the session's own transaction."""
    return bool(await session.scalar(_MAY_ACT, {"account": account_id, "session": session_id}))


def rests_on(session: AsyncSession, credential: VerifiedCredential) -> None:
    """Has `require_live` ask for this credential's session."""
    session.info[_CREDENTIAL] = credential


async def require_live(session: AsyncSession) -> None:
    """Before something is made that outlives the caller's session, such as a key or an address that events go to.

    Verified credentials are believed for some seconds, and a request may have waited. Behind a lock of the project,
    which a takeover of the account takes too, nothing comes in between. Raises InvalidTokenError.
    """
    credential: VerifiedCredential | None = session.info.get(_CREDENTIAL)
    if credential is None or credential.session_id is None:
        return
    if not await may_act(session, credential.principal.id, credential.session_id):
        raise InvalidTokenError


@dataclass(frozen=True, slots=True)
class Liveness:
    """Whether an access token's account and session are still good: neither disabled nor revoked."""

    sessions: Sessions

    async def may_act(self, account_id: UUID, session_id: UUID) -> bool:
        async with self.sessions.read() as session:
            return await may_act(session, account_id, session_id)
