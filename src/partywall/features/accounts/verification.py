from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from partywall.core.clock import utc_now
from partywall.core.db.session import AsyncSession, bind_principal
from partywall.core.jobs.queue import enqueue
from partywall.core.security.attempts import AttemptLimiter
from partywall.core.tenancy import Principal
from partywall.features.accounts.constants import MAILS_PER_HOUR, VERIFICATION_TTL
from partywall.features.accounts.exceptions import TooManyMailsError, VerificationTokenError
from partywall.features.accounts.jobs import CONFIRM_ADDRESS, ConfirmAddress
from partywall.features.accounts.repository import AccountRegister, AccountRepository
from partywall.features.accounts.service import get_user
from partywall.features.accounts.verification_tokens import Presented, VerificationTokens


async def enqueue_mail(session: AsyncSession, account_id: UUID, *, registered: bool) -> None:
    """In the caller's transaction; the payload holds nothing that proves anything."""
    expires_at = utc_now() + VERIFICATION_TTL
    await enqueue(
        session, CONFIRM_ADDRESS, ConfirmAddress(account_id=account_id, expires_at=expires_at, registered=registered)
    )


@dataclass(frozen=True, slots=True)
class VerificationService:
    session: AsyncSession
    tokens: VerificationTokens
    attempts: AttemptLimiter

    async def verify(self, token: str) -> None:
        """Raises VerificationTokenError, the same for every reason: malformed, forged, expired, foreign or used."""
        presented = Presented.read(token)
        if presented is None:
            raise VerificationTokenError
        await bind_principal(self.session, Principal.user(presented.account_id))
        account = await AccountRepository(self.session, presented.account_id).get()
        address = "" if account is None else account.email
        if not self.tokens.proves(presented, address, utc_now()):
            raise VerificationTokenError
        if not await AccountRegister(self.session).verify(presented.account_id, address):
            raise VerificationTokenError

    async def resend(self, account_id: UUID) -> None:
        """Answers alike where the address is verified; raises AccountGoneError or TooManyMailsError."""
        await bind_principal(self.session, Principal.user(account_id))
        await get_user(self.session, account_id)
        wait = await self.attempts.admit(f"resend/{account_id}", per_hour=MAILS_PER_HOUR)
        if wait is not None:
            raise TooManyMailsError(wait)
        await enqueue_mail(self.session, account_id, registered=False)
