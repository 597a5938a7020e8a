"""Confirms the address of a registration."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from partywall.core.clock import utc_now
from partywall.core.db.session import AsyncSession, Sessions
from partywall.core.ids import new_id
from partywall.core.jobs.queue import enqueue
from partywall.core.security.opaque_tokens import token_hash
from partywall.core.security.secrets import Signer
from partywall.core.security.tokens import AccessTokens
from partywall.features.accounts.constants import VERIFICATION_TTL
from partywall.features.accounts.exceptions import VerificationTokenError
from partywall.features.accounts.failure_repository import FailureCounter
from partywall.features.accounts.jobs import (
    CONFIRM_ADDRESS,
    RESEND_CONFIRMATION,
    ConfirmAddress,
    ResendConfirmation,
)
from partywall.features.accounts.known_networks import Origin, hash_of_address
from partywall.features.accounts.limits import ClientLimits, Kind
from partywall.features.accounts.registration_repository import NewRegistration, RegistrationGateway
from partywall.features.accounts.verification_tokens import VerificationTokens


def new_registration(tokens: VerificationTokens) -> NewRegistration:
    id_ = new_id()
    return NewRegistration(id_, token_hash(tokens.of(id_)), utc_now() + VERIFICATION_TTL)


async def enqueue_mail(
    session: AsyncSession, account_id: UUID, registration_id: UUID, *, registered: bool, own: bool = False
) -> None:
    """Enqueue the mail in the caller's transaction. The payload contains no secret."""
    payload = ConfirmAddress(account_id=account_id, registration_id=registration_id, registered=registered, own=own)
    await enqueue(session, CONFIRM_ADDRESS, payload)


@dataclass(frozen=True, slots=True)
class VerificationService:
    session: AsyncSession
    sessions: Sessions
    access_tokens: AccessTokens
    addresses: Signer
    limits: ClientLimits

    async def verify(self, token: str) -> None:
        """Confirm the address with the token's registration, whose password becomes the account's.

        Forgets failed logins, because the caller can read the address's mail. Ends the sessions opened by another
        registration of the address. Raises VerificationTokenError if the token is malformed, forged, expired,
        superseded or used, and TooManyAttemptsError after too many such tokens.
        """
        await self.limits.require_no_guessing()
        async with self.sessions.begin() as session:
            confirmed = await RegistrationGateway(session).confirm(token_hash(token))
            if confirmed is not None:
                await FailureCounter(session).lift(hash_of_address(self.addresses, confirmed.address))
        if confirmed is None:
            await self.limits.count_guess()
            raise VerificationTokenError
        for session_id in confirmed.ended:
            self.access_tokens.forget_session(session_id)

    async def resend(self, address: str) -> None:
        """Request the mail again. The work is the same for every address.

        Counts only the caller's requests; the job limits the mails to the address.
        Raises TooManyAttemptsError or TooManyMailsError.
        """
        await self.limits.admit(Kind.RESEND)
        network = Origin.of(self.addresses, address, self.limits.client).network
        await self.limits.admit_mail(Kind.RESEND, network)
        payload = ResendConfirmation(address=address, network=network.hex())
        await enqueue(self.session, RESEND_CONFIRMATION, payload)
