"""Accounts as the operator's commands change them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import Text, Uuid, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert

from partywall.core.db.session import AsyncReadSession, AsyncSession
from partywall.features.accounts.models import Account, Session

_REPLACE_PASSWORD: Final = select(
    func.wall.replace_password(bindparam("account", type_=Uuid), bindparam("password_hash", type_=Text))
)


async def all_accounts(session: AsyncReadSession) -> list[Account]:
    return list(await session.scalars(select(Account).order_by(Account.email)))


@dataclass(frozen=True, slots=True)
class OperatorRepository:
    """Any account. Needs a connection of the migration owner, whom the row-level policies allow."""

    session: AsyncSession

    async def add(self, address: str, password_hash: str, full_name: str | None) -> UUID | None:
        """Add a verified account. None if the address is taken."""
        row = insert(Account).values(
            email=address, password_hash=password_hash, full_name=full_name, email_verified_at=func.now()
        )
        return await self.session.scalar(
            row.on_conflict_do_nothing(index_elements=[Account.email]).returning(Account.id)
        )

    async def disable(self, address: str) -> UUID | None:
        """Also ends every session. None if there is no such account."""
        disabled = update(Account).where(Account.email == address)
        found = await self.session.scalar(
            disabled.values(disabled_at=func.coalesce(Account.disabled_at, func.now())).returning(Account.id)
        )
        await self._end_sessions(found)
        return found

    async def set_password(self, address: str, password_hash: str) -> UUID | None:
        """Also ends every session and mailed token. None if there is no such account."""
        found = await self.find(address)
        if found is not None:
            await self.session.execute(_REPLACE_PASSWORD, {"account": found, "password_hash": password_hash})
        return found

    async def find(self, address: str) -> UUID | None:
        return await self.session.scalar(select(Account.id).where(Account.email == address))

    async def enable(self, address: str) -> UUID | None:
        enabled = update(Account).where(Account.email == address).values(disabled_at=None)
        return await self.session.scalar(enabled.returning(Account.id))

    async def verify(self, address: str) -> UUID | None:
        verified = update(Account).where(Account.email == address)
        return await self.session.scalar(
            verified.values(email_verified_at=func.coalesce(Account.email_verified_at, func.now())).returning(
                Account.id
            )
        )

    async def _end_sessions(self, account_id: UUID | None) -> None:
        await self.session.execute(
            update(Session)
            .where(Session.account_id == account_id, Session.revoked_at.is_(None))
            .values(revoked_at=func.now())
        )
