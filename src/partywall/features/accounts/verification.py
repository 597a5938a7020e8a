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
    """In the caller's transaction; the payload holds nothing that proves anything."""
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
        """Confirms the address by the registration of this token, whose password holds from then on.

        Forgets what was counted of failed logins: whoever reads the address's mail is no stranger to it. Ends what
        another registration of the address has opened. Raises VerificationTokenError, the same for every reason:
        malformed, forged, expired, superseded or used. Only those are counted: TooManyAttemptsError.
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
        """The same for every address, after the same work; raises TooManyAttemptsError or TooManyMailsError.

        What others have asked for of this address is not counted here: how many mails there are, the job sees to.
        """
        await self.limits.admit(Kind.RESEND)
        network = Origin.of(self.addresses, address, self.limits.client).network
        await self.limits.admit_mail(network)
        payload = ResendConfirmation(address=address, network=network.hex())
        await enqueue(self.session, RESEND_CONFIRMATION, payload)
