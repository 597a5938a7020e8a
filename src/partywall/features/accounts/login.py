from __future__ import annotations

import hashlib
from dataclasses import dataclass

import structlog

from partywall.core.clock import utc_now
from partywall.core.db.session import AsyncSession, Sessions, bind_principal
from partywall.core.security.secrets import Signer
from partywall.core.tenancy import Principal
from partywall.features.accounts.counted_password import CountedPassword
from partywall.features.accounts.email_address import normalised
from partywall.features.accounts.exceptions import TooManyAttemptsError
from partywall.features.accounts.known_networks import KnownNetworks, Origin
from partywall.features.accounts.limits import ClientLimits
from partywall.features.accounts.login_counters import LoginAttempt, LoginCounters
from partywall.features.accounts.repository import AccountDirectory, AccountRepository, AccountWriter, Credential
from partywall.features.accounts.session_start import SessionStarter
from partywall.features.accounts.token_grant import GrantRefused, LockedOut, TokenPair

log = structlog.get_logger(__name__)

type LoginOutcome = TokenPair | GrantRefused | LockedOut


def counted_form(username: str) -> str:
    """The normalised address. Other text becomes a hash that no account has, and counts as an unknown address."""
    try:
        return normalised(username)
    except ValueError:
        return hashlib.sha256(username.encode("utf-8", "replace")).hexdigest()


@dataclass(frozen=True, slots=True)
class LoginService:
    """Logs in with a password. A right password is no failure, even if the account may not log in.

    The credential is read again after hashing, because a reset or a confirmation may have replaced the password
    meanwhile.
    """

    session: AsyncSession
    sessions: Sessions
    passwords: CountedPassword
    starter: SessionStarter
    addresses: Signer
    limits: ClientLimits
    login_counters: LoginCounters
    verification_required: bool

    async def log_in(self, username: str, password: str, user_agent: str | None) -> LoginOutcome:
        """Raises TooManyAttemptsError, or QueueFullError if too many passwords wait to be hashed."""
        address, client = counted_form(username), self.limits.client
        wait = await self.limits.wait_for_login()
        async with self.sessions.read() as reading:
            attempt = await self.login_counters.find(reading, Origin.of(self.addresses, address, client))
            credential = await AccountDirectory(reading).credential(address)
        if wait is not None and not attempt.known:
            raise TooManyAttemptsError(wait)
        checked = await self.passwords.check(attempt, address, password, credential)
        if isinstance(checked, LockedOut):
            return checked
        if credential is None or not checked.valid or not self._may_log_in(credential):
            return GrantRefused()
        await self.starter.prepare()
        if not await self._holds(address, credential):
            return GrantRefused()
        return await self._start(attempt, credential, checked.replacement, user_agent)

    def _may_log_in(self, credential: Credential) -> bool:
        return not credential.disabled and (credential.verified or not self.verification_required)

    async def _holds(self, address: str, credential: Credential) -> bool:
        """Whether the checked password is still the account's. The lock keeps it so until the transaction ends."""
        await bind_principal(self.session, Principal.user(credential.account_id))
        await AccountRepository(self.session, credential.account_id).lock()
        now = await AccountDirectory(self.session).credential(address)
        return now is not None and now.password_hash == credential.password_hash and self._may_log_in(now)

    async def _start(
        self, attempt: LoginAttempt, credential: Credential, replacement: str | None, user_agent: str | None
    ) -> TokenPair:
        await KnownNetworks(self.session).note(attempt.origin, utc_now())
        if replacement is not None:
            await AccountWriter(self.session, credential.account_id).replace_password_hash(replacement)
        return await self.starter.start(credential.account_id, user_agent)
