from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import Text, bindparam, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY

from partywall.core.db.keyset import After, Keyset
from partywall.core.db.session import AsyncReadSession, AsyncSession
from partywall.core.ids import new_id
from partywall.features.identities.models import Identity

KEYSET: Final = Keyset({"created_at": Identity.created_at}, Identity.id)

_ENTER: Final = text(
    "SELECT account_id, outcome"
    " FROM wall.enter_by_identity(:id, :issuer, :subject, :provider, :address, :full_name, :admission)"
)
_LINK: Final = text("SELECT id, outcome FROM wall.link_identity(:id, :issuer, :subject, :provider, :address, :most)")
_REMOVE: Final = select(
    func.wall.remove_identity(
        bindparam("identity"), bindparam("providers", type_=ARRAY(Text)), bindparam("confirmed_only"), type_=Text
    )
)


@dataclass(frozen=True, slots=True)
class ProvedIdentity:
    """An identity that a provider has confirmed. `address` is normalised, and None unless the provider verified it."""

    provider: str
    issuer: str
    subject: str
    address: str | None
    full_name: str | None


@dataclass(frozen=True, slots=True)
class IdentityGateway:
    """Writes identities, which is possible only through SQL functions."""

    session: AsyncSession

    async def enter(self, proved: ProvedIdentity, admission: str) -> tuple[UUID | None, str]:
        """The account to log in to, locked, and how it was found; or None and why not."""
        values = {
            "id": new_id(), "issuer": proved.issuer, "subject": proved.subject, "provider": proved.provider,
            "address": proved.address, "full_name": proved.full_name, "admission": admission,
        }  # fmt: skip
        row = (await self.session.execute(_ENTER, values)).one_or_none()
        return (None, "closed") if row is None else (row.account_id, row.outcome)

    async def link(self, proved: ProvedIdentity, most: int) -> tuple[UUID | None, str]:
        """Link to the bound user's account, and lock that. Returns the identity's id, or None and why not."""
        values = {
            "id": new_id(), "issuer": proved.issuer, "subject": proved.subject, "provider": proved.provider,
            "address": proved.address, "most": most,
        }  # fmt: skip
        row = (await self.session.execute(_LINK, values)).one()
        return row.id, row.outcome

    async def remove(self, identity_id: UUID, providers: Sequence[str], *, confirmed_only: bool) -> str:
        values = {"identity": identity_id, "providers": list(providers), "confirmed_only": confirmed_only}
        outcome: str = (await self.session.execute(_REMOVE, values)).scalar_one()
        return outcome


@dataclass(frozen=True, slots=True)
class IdentityRepository:
    """The bound user's identities."""

    session: AsyncReadSession
    account_id: UUID

    async def get(self, identity_id: UUID) -> Identity:
        query = select(Identity).where(Identity.account_id == self.account_id, Identity.id == identity_id)
        return (await self.session.scalars(query)).one()

    async def page(self, sort: str, limit: int, offset: int, after: After | None) -> list[Identity]:
        query = select(Identity).where(Identity.account_id == self.account_id)
        return list(await self.session.scalars(KEYSET.page(query, sort, limit, offset, after)))

    async def count(self) -> int:
        query = select(func.count()).select_from(Identity).where(Identity.account_id == self.account_id)
        return await self.session.scalar(query) or 0
