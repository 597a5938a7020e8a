from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta

import structlog

from partywall.core.clock import utc_now
from partywall.core.db.session import AsyncSession, Sessions, bind_principal
from partywall.core.security.opaque_tokens import token_hash
from partywall.core.security.passwords import PasswordCheck, Passwords
from partywall.core.security.secrets import Signer
from partywall.core.security.tokens import AccessTokens
from partywall.core.tenancy import Principal
from partywall.features.accounts import refresh_tokens
from partywall.features.accounts.constants import MAX_PASSWORD, MAX_SESSIONS, REVOKED_KEPT
from partywall.features.accounts.email_address import normalised
from partywall.features.accounts.failure_repository import FailureCounter, counted_failures
from partywall.features.accounts.issuing import Granted, Locked, Refused, grant
from partywall.features.accounts.lockout import LockoutPolicy, after_failure, locked_for
from partywall.features.accounts.repository import AccountDirectory, AccountRepository, AccountWriter, Credential
from partywall.features.accounts.session_repository import SessionWriter

log = structlog.get_logger(__name__)

type LoginOutcome = Granted | Refused | Locked


def counted_form(username: str) -> str:
    """What is no address is counted and refused like an unknown one, under a name that no account has."""
    try:
        return normalised(username)
    except ValueError:
        return hashlib.sha256(username.encode("utf-8", "replace")).hexdigest()


@dataclass(frozen=True, slots=True)
class LoginService:
    """Logs in with a password. No connection is held while the password is hashed.

    The lockout is asked before, which is cheap, and again afterwards under a lock: of many guesses at once only as many
    count as the policy allows, whatever they were. So is the credential, because whoever confirms the address may have
    taken the account over in the meantime.
    """

    session: AsyncSession
    sessions: Sessions
    passwords: Passwords
    tokens: AccessTokens
    addresses: Signer
    policy: LockoutPolicy
    refresh_ttl: timedelta
    verification_required: bool

    async def log_in(self, username: str, password: str, user_agent: str | None) -> LoginOutcome:
        address = counted_form(username)
        address_hash = self.addresses.sign(address.encode())
        async with self.sessions.read() as reading:
            remaining = locked_for(await counted_failures(reading, address_hash), utc_now())
            credential = await AccountDirectory(reading).credential(address)
        if remaining is not None:
            return Locked(remaining)
        checked = await self._check(password, credential)
        await self.tokens.prepare()
        counter = FailureCounter(self.session, address_hash)
        if credential is None or not checked.valid or not self._may_log_in(credential):
            return await self._count(counter)
        if not await self._holds(address, credential):
            return await self._count(counter)
        return await self._start(counter, credential, checked.replacement, user_agent)

    async def _check(self, password: str, credential: Credential | None) -> PasswordCheck:
        """Takes the same time whether or not there is such an account."""
        if len(password) > MAX_PASSWORD:
            return await self.passwords.check("", None)
        return await self.passwords.check(password, None if credential is None else credential.password_hash)

    def _may_log_in(self, credential: Credential) -> bool:
        return not credential.disabled and (credential.verified or not self.verification_required)

    async def _holds(self, address: str, credential: Credential) -> bool:
        """Whether the password that was checked is still the account's; it stays so until the transaction ends."""
        await bind_principal(self.session, Principal.user(credential.account_id))
        await AccountRepository(self.session, credential.account_id).lock()
        now = await AccountDirectory(self.session).credential(address)
        return now is not None and now.password_hash == credential.password_hash and self._may_log_in(now)

    async def _count(self, counter: FailureCounter) -> Refused | Locked:
        now = utc_now()
        failures = await counter.open(now)
        if (remaining := locked_for(failures, now)) is not None:
            return Locked(remaining)
        counted = after_failure(failures, self.policy, now)
        await counter.save(counted)
        await counter.prune(now - self.policy.duration)
        if counted.locked_until is not None:
            log.warning("login_locked", until=counted.locked_until.isoformat())
        return Refused()

    async def _start(
        self, counter: FailureCounter, credential: Credential, replacement: str | None, user_agent: str | None
    ) -> Granted | Locked:
        now = utc_now()
        failures = await counter.lock()
        if (remaining := locked_for(failures, now)) is not None:
            return Locked(remaining)
        if failures is not None:
            await counter.clear()
        if replacement is not None:
            await AccountWriter(self.session, credential.account_id).replace_password_hash(replacement)
        writer = SessionWriter(self.session, credential.account_id)
        # A revoked session is told from none for as long as one of its access tokens may be good.
        await writer.prune_sessions(now - self.refresh_ttl, now - max(REVOKED_KEPT, self.tokens.ttl))
        refresh_token = refresh_tokens.new_token()
        session_id = await writer.start(token_hash(refresh_token), user_agent, now + self.refresh_ttl)
        await writer.end_oldest(MAX_SESSIONS)
        return await grant(self.tokens, credential.account_id, session_id, refresh_token)
