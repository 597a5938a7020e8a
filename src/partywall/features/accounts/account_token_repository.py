from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import text

from partywall.core.clock import utc_now
from partywall.core.db.session import AsyncReadSession, AsyncSession
from partywall.core.ids import new_id
from partywall.core.security.opaque_tokens import token_hash
from partywall.core.security.secrets import SecretKeeper
from partywall.features.accounts.account_tokens import TokenPurpose

_ADD: Final = text("SELECT wall.add_account_token(:address, :purpose, :id, :token_hash, :expires_at, :most)")
_WAITING: Final = text("SELECT purpose, expires_at FROM wall.waiting_account_token(:id)")
_OWNER: Final = text("SELECT account_id, address FROM wall.owner_of_account_token(:presented, :purpose)")
_USE: Final = text("SELECT wall.use_account_token(:presented, :purpose)")
_RESET: Final = text("SELECT wall.reset_password(:presented, :password_hash)")
_CHANGE: Final = text("SELECT wall.change_own_password(:former, :password_hash)")


class AddedToken(NamedTuple):
    account_id: UUID
    token_id: UUID


class WaitingToken(NamedTuple):
    purpose: str
    expires_at: datetime


class TokenOwner(NamedTuple):
    account_id: UUID
    address: str


async def waiting_account_token(session: AsyncReadSession, id_: UUID) -> WaitingToken | None:
    """A token of the bound user, or None if it is used or has expired."""
    row = (await session.execute(_WAITING, {"id": id_})).one_or_none()
    return None if row is None else WaitingToken(*row)


async def owner_of_account_token(session: AsyncReadSession, purpose: TokenPurpose, token: str) -> TokenOwner | None:
    """None if the token is not valid."""
    presented = {"presented": token_hash(token), "purpose": purpose.name}
    row = (await session.execute(_OWNER, presented)).one_or_none()
    return None if row is None else TokenOwner(*row)


@dataclass(frozen=True, slots=True)
class AccountTokenGateway:
    """Accesses mailed tokens, which is possible only through SQL functions."""

    session: AsyncSession

    async def add(self, keeper: SecretKeeper, purpose: TokenPurpose, address: str) -> AddedToken | None:
        """Store a token for the account of an address. None if it has no account, or enough tokens that wait."""
        id_ = new_id()
        token = purpose.tokens(keeper.signer(purpose.name)).of(id_)
        values = {
            "address": address, "purpose": purpose.name, "id": id_, "token_hash": token_hash(token),
            "expires_at": utc_now() + purpose.ttl, "most": purpose.most,
        }  # fmt: skip
        owner: UUID | None = await self.session.scalar(_ADD, values)
        return None if owner is None else AddedToken(owner, id_)

    async def use(self, purpose: TokenPurpose, token: str) -> bool:
        """Use up a token. False if it is not valid."""
        presented = {"presented": token_hash(token), "purpose": purpose.name}
        return bool(await self.session.scalar(_USE, presented))

    async def reset_password(self, token: str, password_hash: str) -> bool:
        """Use up a token for a reset, set the password and end every session. False if the token is not valid."""
        values = {"presented": token_hash(token), "password_hash": password_hash}
        return bool(await self.session.scalar(_RESET, values))

    async def change_password(self, former_hash: str, password_hash: str) -> bool:
        """Set the bound user's password and end every session. False unless its hash is still `former_hash`."""
        return bool(await self.session.scalar(_CHANGE, {"former": former_hash, "password_hash": password_hash}))
