from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import LargeBinary, Text, Uuid, bindparam, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY

from partywall.core.db.session import AsyncReadSession, AsyncSession
from partywall.features.accounts.constants import MAILS_PER_HOUR, OWN_MAILS
from partywall.features.accounts.known_networks import Origin

_REGISTER: Final = text(
    "SELECT wall.register(:id, :token_hash, :expires_at, :address, :password_hash, :full_name, :invited_only, :most,"
    " :network)"
)
_TO_RESEND: Final = text(
    "SELECT account_id, registration_id, own"
    " FROM wall.registrations_to_resend(:address, :id, :token_hash, :expires_at, :most, :network, :most_own)"
)
_ADDRESS: Final = select(func.wall.address_of_registration(bindparam("presented", type_=LargeBinary), type_=Text))
_WAITING: Final = text("SELECT chosen_at, expires_at FROM wall.waiting_registration(:id)")
_CONFIRM: Final = select(func.wall.confirm_registration(bindparam("presented", type_=LargeBinary), type_=ARRAY(Uuid)))


@dataclass(frozen=True, slots=True)
class NewRegistration:
    """`token_hash` is the SHA-256 of the confirmation token."""

    id: UUID
    token_hash: bytes
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class PendingRegistration:
    """A registration that can be confirmed. `chosen_at` is when its password was chosen."""

    id: UUID
    chosen_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class MailedAgain:
    """`own`: requested from the network that registered."""

    account_id: UUID
    registration_id: UUID
    own: bool


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The address, and the sessions ended by its confirmation."""

    address: str
    ended: list[UUID]


@dataclass(frozen=True, slots=True)
class RegistrationGateway:
    """Accesses registrations, which is possible only through SQL functions."""

    session: AsyncSession

    async def add(
        self,
        new: NewRegistration,
        origin: Origin,
        address: str,
        password_hash: str,
        full_name: str | None,
        *,
        invited_only: bool,
    ) -> UUID:
        """Create the account unless the address is known or not invited. The caller cannot tell which.

        Returns the id of the account with this address, or an unused id if there is still none. The registration is
        not kept if the address is already confirmed or has too many registrations within the hour, from this network
        or from all.
        """
        values = {
            "id": new.id, "token_hash": new.token_hash, "expires_at": new.expires_at, "address": address,
            "password_hash": password_hash, "full_name": full_name, "invited_only": invited_only,
            "most": MAILS_PER_HOUR, "network": origin.network,
        }  # fmt: skip
        registered: UUID = (await self.session.execute(_REGISTER, values)).scalar_one()
        return registered

    async def to_resend(self, address: str, network: bytes, new: NewRegistration) -> list[MailedAgain]:
        """Return the registrations of the address to mail again, and extend their time to confirm.

        Confirmed and unknown addresses have none. Registrations that were mailed too often are left out; requests
        from the registering network have a limit of their own. `network` is the keyed hash of the requesting network
        and the address. If no registration is pending, `new` is stored, with the account's own password.
        """
        values = {
            "address": address, "id": new.id, "token_hash": new.token_hash, "expires_at": new.expires_at,
            "most": MAILS_PER_HOUR, "network": network, "most_own": OWN_MAILS,
        }  # fmt: skip
        rows = await self.session.execute(_TO_RESEND, values)
        return [MailedAgain(row.account_id, row.registration_id, row.own) for row in rows]

    async def confirm(self, token_hash: bytes) -> Confirmed | None:
        """None if the token is not valid."""
        presented = {"presented": token_hash}
        address: str | None = await self.session.scalar(_ADDRESS, presented)
        ended: list[UUID] | None = await self.session.scalar(_CONFIRM, presented)
        return None if address is None or ended is None else Confirmed(address, ended)


async def waiting_registration(session: AsyncReadSession, id_: UUID) -> PendingRegistration | None:
    """A registration of the bound user, or None if it can no longer be confirmed."""
    row = (await session.execute(_WAITING, {"id": id_})).one_or_none()
    return None if row is None else PendingRegistration(id_, *row)
