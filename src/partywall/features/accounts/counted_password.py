"""Checks a password and counts wrong ones, for logins and for whatever else asks for the password."""

from __future__ import annotations

import math
from dataclasses import dataclass

from partywall.core.audit.trail import AuditEntry, audit_address
from partywall.core.db.session import Sessions
from partywall.core.jobs.queue import enqueue_once
from partywall.core.security.passwords import PasswordCheck, Passwords
from partywall.features.accounts.constants import MAX_PASSWORD
from partywall.features.accounts.exceptions import LoginLockedError
from partywall.features.accounts.jobs import LOCKED_LOGIN, LockedLogin
from partywall.features.accounts.login_counters import LoginAttempt, LoginCounters
from partywall.features.accounts.repository import Credential
from partywall.features.accounts.token_grant import LockedOut


@dataclass(frozen=True, slots=True)
class CountedPassword:
    """Every attempt counts as a failure before its password is hashed, and is taken back if the password was right.

    So parallel guesses cannot exceed the policy. No database connection is held while the password is hashed.
    """

    sessions: Sessions
    passwords: Passwords
    counters: LoginCounters
    client: str

    async def check(
        self, attempt: LoginAttempt, address: str, password: str, credential: Credential | None
    ) -> PasswordCheck | LockedOut:
        """Takes the same time whether or not the account exists. Raises QueueFullError.

        A wrong password is audited, and one that locks the network enqueues a mail; both also without an account.
        """
        if attempt.locked is not None:
            return LockedOut(attempt.locked)
        async with self.passwords.turn(self.client, known=attempt.known):
            charged = await self.counters.charge(self.sessions, attempt)
            if charged.wait is not None:
                return LockedOut(charged.wait)
            checked = await self._check(password, credential)
            if checked.valid:
                await self.counters.succeeded(self.sessions, attempt)
        if not checked.valid:
            await self._record_failure(address, attempt, locked=attempt.origin.network in charged.locked)
        return checked

    async def _record_failure(self, address: str, attempt: LoginAttempt, *, locked: bool) -> None:
        async with self.sessions.begin() as session:
            await audit_address(session, address, AuditEntry("login.failed"))
            if locked:
                await audit_address(session, address, AuditEntry("login.locked"))
                await enqueue_once(session, LOCKED_LOGIN, LockedLogin(address=address), attempt.origin.address.hex())

    async def _check(self, password: str, credential: Credential | None) -> PasswordCheck:
        if len(password) > MAX_PASSWORD:
            return await self.passwords.check_now("", None)
        return await self.passwords.check_now(password, None if credential is None else credential.password_hash)


def locked_error(locked: LockedOut) -> LoginLockedError:
    return LoginLockedError(math.ceil(locked.remaining.total_seconds()))
