"""What somebody may do who can read the mail of an account's address: set a new password, or lift a lock."""

from __future__ import annotations

from dataclasses import dataclass

from partywall.core.audit.trail import AuditEntry, audit_address
from partywall.core.clock import utc_now
from partywall.core.db.session import AsyncSession, Sessions, after_commit
from partywall.core.jobs.queue import enqueue
from partywall.core.security.passwords import Passwords
from partywall.core.security.secrets import Signer
from partywall.core.security.tokens import AccessTokens
from partywall.features.accounts.account_token_repository import (
    AccountTokenGateway,
    TokenOwner,
    owner_of_account_token,
)
from partywall.features.accounts.account_tokens import RESET, UNLOCK, TokenPurpose
from partywall.features.accounts.exceptions import AccountTokenError
from partywall.features.accounts.failure_repository import FailureCounter
from partywall.features.accounts.jobs import FORGOTTEN_PASSWORD, PASSWORD_CHANGED, ForgottenPassword, PasswordChanged
from partywall.features.accounts.known_networks import KnownNetworks, Origin
from partywall.features.accounts.limits import ClientLimits, Kind
from partywall.features.accounts.password_policy import require_unlike


@dataclass(frozen=True, slots=True)
class MailedTokenService:
    """Does what a mailed token allows: no login is needed."""

    session: AsyncSession
    sessions: Sessions
    passwords: Passwords
    access_tokens: AccessTokens
    addresses: Signer
    limits: ClientLimits

    async def request_reset(self, address: str) -> None:
        """Enqueue a job that mails a token. The work is the same for every address.

        Raises TooManyAttemptsError or TooManyMailsError.
        """
        await self.limits.admit(Kind.FORGOTTEN)
        await self.limits.admit_mail(Kind.FORGOTTEN, self._origin(address).network)
        await enqueue(self.session, FORGOTTEN_PASSWORD, ForgottenPassword(address=address))

    async def reset(self, token: str, new_password: str) -> None:
        """Set the password, end every session and lift the locks of the address, which is confirmed thereby.

        Raises AccountTokenError, InvalidInputError if the password is easily guessed, TooManyAttemptsError and
        QueueFullError. A token that is refused because of the password can be used again.
        """
        await self.limits.admit(Kind.RESET)
        owner = await self._owner(RESET, token)
        require_unlike(new_password, owner.address, "/new_password")
        password_hash = await self.passwords.hash(new_password, self.limits.client)
        if not await AccountTokenGateway(self.session).reset_password(token, password_hash):
            raise AccountTokenError
        await audit_address(self.session, owner.address, AuditEntry("password.reset"))
        await self._lift(owner)
        changed = PasswordChanged(account_id=owner.account_id, changed_at=utc_now())
        await enqueue(self.session, PASSWORD_CHANGED, changed)

        async def forget() -> None:
            self.access_tokens.forget_account(owner.account_id)

        after_commit(self.session, forget)

    async def unlock(self, token: str) -> None:
        """Lift the locks of the address. Raises AccountTokenError or TooManyAttemptsError."""
        owner = await self._owner(UNLOCK, token)
        if not await AccountTokenGateway(self.session).use(UNLOCK, token):
            raise AccountTokenError
        await audit_address(self.session, owner.address, AuditEntry("login.unlocked"))
        await self._lift(owner)

    async def _owner(self, purpose: TokenPurpose, token: str) -> TokenOwner:
        await self.limits.require_no_guessing()
        async with self.sessions.read() as reading:
            owner = await owner_of_account_token(reading, purpose, token)
        if owner is None:
            await self.limits.count_guess()
            raise AccountTokenError
        return owner

    async def _lift(self, owner: TokenOwner) -> None:
        """Also makes the network known: who reads the owner's mail there should not wait for strangers elsewhere."""
        origin = self._origin(owner.address)
        await FailureCounter(self.session).lift(origin.address)
        await KnownNetworks(self.session).note(origin, utc_now())

    def _origin(self, address: str) -> Origin:
        return Origin.of(self.addresses, address, self.limits.client)
