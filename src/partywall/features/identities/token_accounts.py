"""The accounts of users whose tokens another issuer makes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy import text

from partywall.core.db.session import Sessions
from partywall.core.ids import new_id
from partywall.core.security.supabase import SupabaseUser
from partywall.features.identities.constants import SUPABASE
from partywall.features.identities.verified_profile import usable_address

log = structlog.get_logger(__name__)

_FIND: Final = text("SELECT account_id, valid FROM wall.account_of_identity(:issuer, :subject, :session)")
_ADOPT: Final = text("SELECT wall.adopt_identity(:id, :issuer, :subject, :provider, :address, :placeholder)")


@dataclass(frozen=True, slots=True)
class TokenAccounts:
    """`confirms_addresses`: whether the issuer has confirmed the addresses in its tokens."""

    sessions: Sessions
    issuer: str
    confirms_addresses: bool

    async def account_of(self, user: SupabaseUser) -> UUID | None:
        """The valid account, made when the user is first seen."""
        found = await self._find(user)
        if found is None:
            await self._adopt(user)
            found = await self._find(user)
        return found[0] if found is not None and found[1] else None

    async def _find(self, user: SupabaseUser) -> tuple[UUID, bool] | None:
        values = {"issuer": self.issuer, "subject": str(user.subject), "session": user.session_id}
        async with self.sessions.read() as session:
            row = (await session.execute(_FIND, values)).one_or_none()
        return None if row is None else (row.account_id, row.valid)

    async def _adopt(self, user: SupabaseUser) -> None:
        values = {
            "id": new_id(), "issuer": self.issuer, "subject": str(user.subject), "provider": SUPABASE,
            "address": usable_address(user.address) if self.confirms_addresses else None,
            "placeholder": placeholder(user.subject),
        }  # fmt: skip
        async with self.sessions.begin() as session:
            await session.execute(_ADOPT, values)
        log.info("identity_adopted", provider=SUPABASE, subject=str(user.subject))


def placeholder(subject: UUID) -> str:
    """Stands for the address of a user without a confirmed one. No mail reaches the domain (RFC 2606)."""
    return f"{subject}@{SUPABASE}.invalid"
