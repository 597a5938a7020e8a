from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import func, select, text, update

from partywall.core.db.session import AsyncReadSession, AsyncSession
from partywall.features.accounts.models import Account

_CREDENTIAL: Final = text("SELECT account_id, password_hash, verified, disabled FROM wall.credential_of(:address)")
_OWNER: Final = text("SELECT wall.owner_of_refresh_token(:presented)")


@dataclass(frozen=True, slots=True)
class Credential:
    account_id: UUID
    password_hash: str | None
    verified: bool
    disabled: bool


@dataclass(frozen=True, slots=True)
class AccountDirectory:
    """Look-ups before a principal is known."""

    session: AsyncReadSession

    async def credential(self, address: str) -> Credential | None:
        row = (await self.session.execute(_CREDENTIAL, {"address": address})).one_or_none()
        return None if row is None else Credential(*row)

    async def owner_of(self, refresh_token_hash: bytes) -> UUID | None:
        owner: UUID | None = await self.session.scalar(_OWNER, {"presented": refresh_token_hash})
        return owner


@dataclass(frozen=True, slots=True)
class AccountRepository:
    """The bound user's own account."""

    session: AsyncReadSession
    account_id: UUID

    async def get(self) -> Account | None:
        """None if the account is disabled or erased."""
        query = select(Account).where(Account.id == self.account_id, Account.disabled_at.is_(None))
        return (await self.session.scalars(query)).one_or_none()

    async def lock(self) -> Account | None:
        """Like `get`, and locks the row until the transaction ends."""
        query = select(Account).where(Account.id == self.account_id, Account.disabled_at.is_(None))
        query = query.with_for_update(key_share=True)
        return (await self.session.scalars(query)).one_or_none()


@dataclass(frozen=True, slots=True)
class AccountWriter:
    """Changes the bound user's own account."""

    session: AsyncSession
    account_id: UUID

    async def set_name(self, full_name: str | None) -> None:
        await self.session.execute(
            update(Account)
            .where(Account.id == self.account_id)
            .values(full_name=full_name, revision=Account.revision + 1, updated_at=func.now())
        )

    async def replace_password_hash(self, password_hash: str) -> None:
        """Store the same password under new hash parameters. The revision does not change."""
        await self.session.execute(
            update(Account).where(Account.id == self.account_id).values(password_hash=password_hash)
        )
