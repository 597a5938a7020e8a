from __future__ import annotations

from dataclasses import dataclass

from partywall.core.db.session import AsyncSession
from partywall.core.security.passwords import Passwords
from partywall.features.accounts.exceptions import RegistrationClosedError
from partywall.features.accounts.repository import AccountRegister
from partywall.features.accounts.schemas import Registration


@dataclass(frozen=True, slots=True)
class RegistrationService:
    session: AsyncSession
    passwords: Passwords
    is_open: bool

    async def register(self, wanted: Registration) -> None:
        """Makes the account unless the address is known, with the same work in both cases."""
        if not self.is_open:
            raise RegistrationClosedError
        password_hash = await self.passwords.hash(wanted.password)
        await AccountRegister(self.session).add(wanted.email, password_hash, wanted.full_name)
