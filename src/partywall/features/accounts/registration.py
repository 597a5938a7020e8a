from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from partywall.core.db.session import AsyncSession
from partywall.core.security.passwords import Passwords
from partywall.core.security.secrets import Signer
from partywall.features.accounts.exceptions import RegistrationClosedError
from partywall.features.accounts.known_networks import Origin
from partywall.features.accounts.registration_repository import RegistrationGateway
from partywall.features.accounts.schemas import Registration
from partywall.features.accounts.verification import enqueue_mail, new_registration
from partywall.features.accounts.verification_tokens import VerificationTokens


@dataclass(frozen=True, slots=True)
class RegistrationService:
    session: AsyncSession
    passwords: Passwords
    tokens: VerificationTokens
    admission: Literal["open", "invite", "closed"]
    client: str
    addresses: Signer

    async def register(self, wanted: Registration) -> None:
        """Create the account, unless the address is known or lacks a required invitation. The work is always the same.

        If the address is known but not confirmed, the new password and name are stored beside the account's, and
        replace them if this registration is the one confirmed. Raises RegistrationClosedError.
        """
        if self.admission == "closed":
            raise RegistrationClosedError
        password_hash = await self.passwords.hash(wanted.password, self.client)
        new = new_registration(self.tokens)
        origin = Origin.of(self.addresses, wanted.email, self.client)
        account_id = await RegistrationGateway(self.session).add(
            new, origin, wanted.email, password_hash, wanted.full_name, invited_only=self.admission == "invite"
        )
        await enqueue_mail(self.session, account_id, new.id, registered=True)
