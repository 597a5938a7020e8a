from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import Uuid, bindparam, func, select

from partywall.core.db.session import Sessions

_MAY_ACT: Final = select(func.wall.may_act(bindparam("account", type_=Uuid), bindparam("session", type_=Uuid)))


@dataclass(frozen=True, slots=True)
class Liveness:
    """Whether an access token's account and session are still good: neither disabled nor revoked."""

    sessions: Sessions

    async def may_act(self, account_id: UUID, session_id: UUID) -> bool:
        async with self.sessions.read() as session:
            return bool(await session.scalar(_MAY_ACT, {"account": account_id, "session": session_id}))
