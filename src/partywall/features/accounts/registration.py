from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from partywall.core.db.session import AsyncSession
from partywall.core.security.passwords import Passwords
from partywall.features.accounts.exceptions import RegistrationClosedError
from partywall.features.accounts.repository import AccountRegister
from partywall.features.accounts.schemas import Registration
from partywall.features.accounts.verification import enqueue_mail


@dataclass(frozen=True, slots=True)
class RegistrationService:
    session: AsyncSession
    passwords: Passwords
    admission: Literal["open", "invite", "closed"]

    async def register(self, wanted: Registration) -> None:
        """Makes the account unless the address is known, or has to be invited and is not, with the same work always."""
        if self.admission == "closed":
            raise RegistrationClosedError
        password_hash = await self.passwords.hash(wanted.password)
        account_id = await AccountRegister(self.session).add(
            wanted.email, password_hash, wanted.full_name, invited_only=self.admission == "invite"
        )
        await enqueue_mail(self.session, account_id, registered=True)
