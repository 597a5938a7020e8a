from __future__ import annotations

from dataclasses import dataclass

from partywall.core.audit.trail import AuditEntry, audit_account
from partywall.core.clock import utc_now
from partywall.core.db.session import AsyncSession, Sessions, after_commit, bind_principal
from partywall.core.jobs.queue import enqueue
from partywall.core.security.passwords import Passwords
from partywall.core.security.secrets import Signer
from partywall.core.security.tokens import AccessTokens
from partywall.core.tenancy import Principal
from partywall.features.accounts.account_token_repository import AccountTokenGateway
from partywall.features.accounts.counted_password import CountedPassword, locked_error
from partywall.features.accounts.exceptions import WrongPasswordError
from partywall.features.accounts.jobs import PASSWORD_CHANGED, PasswordChanged
from partywall.features.accounts.known_networks import Origin
from partywall.features.accounts.limits import ClientLimits
from partywall.features.accounts.login_counters import LoginCounters
from partywall.features.accounts.password_policy import require_unlike
from partywall.features.accounts.repository import AccountDirectory
from partywall.features.accounts.service import get_user
from partywall.features.accounts.token_grant import LockedOut


@dataclass(frozen=True, slots=True)
class PasswordChangeService:
    """Changes the caller's password. Wrong ones count like failed logins, so that a stolen session cannot guess."""

    session: AsyncSession
    sessions: Sessions
    principal: Principal
    counted: CountedPassword
    counters: LoginCounters
    passwords: Passwords
    access_tokens: AccessTokens
    addresses: Signer
    limits: ClientLimits

    async def change(self, current_password: str, new_password: str) -> None:
        """Also ends every session, the caller's own too.

        Raises WrongPasswordError, LoginLockedError, InvalidInputError if the new password is easily guessed,
        TooManyAttemptsError and QueueFullError.
        """
        account_id, client = self.principal.id, self.limits.client
        await self.limits.admit_credential(f"password of {account_id}")
        async with self.sessions.read() as reading:
            await bind_principal(reading, self.principal)
            address = (await get_user(reading, account_id)).user.email
            attempt = await self.counters.find(reading, Origin.of(self.addresses, address, client))
            credential = await AccountDirectory(reading).credential(address)
        require_unlike(new_password, address, "/new_password")
        checked = await self.counted.check(attempt, address, current_password, credential)
        if isinstance(checked, LockedOut):
            raise locked_error(checked)
        if credential is None or credential.password_hash is None or not checked.valid:
            raise WrongPasswordError
        await self._replace(credential.password_hash, await self.passwords.hash(new_password, client))

    async def _replace(self, former_hash: str, password_hash: str) -> None:
        await bind_principal(self.session, self.principal)
        if not await AccountTokenGateway(self.session).change_password(former_hash, password_hash):
            raise WrongPasswordError
        await audit_account(self.session, self.principal.id, AuditEntry("password.changed"))
        changed = PasswordChanged(account_id=self.principal.id, changed_at=utc_now())
        await enqueue(self.session, PASSWORD_CHANGED, changed)

        async def forget() -> None:
            self.access_tokens.forget_account(self.principal.id)

        after_commit(self.session, forget)
