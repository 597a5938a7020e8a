from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from partywall.core.clock import utc_now
from partywall.core.db.session import AsyncSession, Sessions, bind_principal
from partywall.core.ids import new_id
from partywall.core.jobs.queue import enqueue
from partywall.core.security.attempts import AttemptLimiter
from partywall.core.security.opaque_tokens import token_hash
from partywall.core.security.tokens import AccessTokens
from partywall.core.tenancy import Principal
from partywall.features.accounts.constants import MAILS_PER_HOUR, VERIFICATION_TTL
from partywall.features.accounts.exceptions import TooManyMailsError, VerificationTokenError
from partywall.features.accounts.jobs import CONFIRM_ADDRESS, ConfirmAddress
from partywall.features.accounts.limits import ClientLimits
from partywall.features.accounts.registration_repository import NewRegistration, RegistrationDoor
from partywall.features.accounts.service import get_user
from partywall.features.accounts.verification_tokens import VerificationTokens


def new_registration(tokens: VerificationTokens) -> NewRegistration:
    id_ = new_id()
    return NewRegistration(id_, token_hash(tokens.of(id_)), utc_now() + VERIFICATION_TTL)


async def enqueue_mail(session: AsyncSession, account_id: UUID, new: NewRegistration, *, registered: bool) -> None:
    """In the caller's transaction; the payload holds nothing that proves anything."""
    payload = ConfirmAddress(account_id=account_id, registration_id=new.id, registered=registered)
    await enqueue(session, CONFIRM_ADDRESS, payload)


@dataclass(frozen=True, slots=True)
class VerificationService:
    session: AsyncSession
    sessions: Sessions
    tokens: VerificationTokens
    access_tokens: AccessTokens
    attempts: AttemptLimiter
    limits: ClientLimits

    async def verify(self, token: str) -> None:
        """Confirms the address by the registration of this token, whose password holds from then on.

        Ends what another registration of the address has opened. Raises VerificationTokenError, the same for every
        reason: malformed, forged, expired, superseded or used. Only those are counted: TooManyAttemptsError.
        """
        await self.limits.require_no_guessing()
        async with self.sessions.begin() as session:
            ended = await RegistrationDoor(session).confirm(token_hash(token))
        if ended is None:
            await self.limits.count_guess()
            raise VerificationTokenError
        for session_id in ended:
            self.access_tokens.forget_session(session_id)

    async def resend(self, account_id: UUID) -> None:
        """Answers alike where the address is verified; raises AccountGoneError or TooManyMailsError."""
        wait = await self.attempts.admit(f"resend/{account_id}", per_hour=MAILS_PER_HOUR)
        if wait is not None:
            raise TooManyMailsError(wait)
        await bind_principal(self.session, Principal.user(account_id))
        await get_user(self.session, account_id)
        new = new_registration(self.tokens)
        await RegistrationDoor(self.session).add_again(new)
        await enqueue_mail(self.session, account_id, new, registered=False)
