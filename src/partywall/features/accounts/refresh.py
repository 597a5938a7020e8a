"""Exchanges a refresh token for new tokens, and ends its session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never
from uuid import UUID

import structlog

from partywall.core.audit.trail import AuditEntry, audit_account
from partywall.core.clock import utc_now
from partywall.core.db.session import AsyncReadSession, Sessions, bind_principal
from partywall.core.errors import NotAuthenticatedError
from partywall.core.security.opaque_tokens import token_hash
from partywall.core.security.tokens import AccessTokens
from partywall.core.tenancy import Principal
from partywall.features.accounts.exceptions import TooManyAttemptsError
from partywall.features.accounts.limits import ClientLimits
from partywall.features.accounts.refresh_tokens import RefreshTokens
from partywall.features.accounts.repository import AccountDirectory
from partywall.features.accounts.rotation import Verdict, classify
from partywall.features.accounts.session_repository import Refreshing, Rotation, SessionRepository, SessionWriter
from partywall.features.accounts.token_grant import GrantRefused, TokenPair, grant

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Reused:
    """The token's successor had already been used, so the session was revoked. That must be committed."""

    session_id: UUID


type RefreshOutcome = TokenPair | GrantRefused | Reused


@dataclass(frozen=True, slots=True)
class RefreshService:
    """Exchanges and revokes tokens; possession of a token is enough.

    Valid tokens are rate limited per session. Only made-up tokens are counted per client, so that a client cannot
    block the sessions of others behind the same address.
    """

    rotation: Rotation
    sessions: Sessions
    tokens: AccessTokens
    refresh_tokens: RefreshTokens
    limits: ClientLimits

    async def refresh(self, presented: str) -> RefreshOutcome:
        """Raises TooManyAttemptsError."""
        await self.tokens.prepare()
        made = self.refresh_tokens.made(presented)
        if not made:
            await self.limits.require_no_guessing()
        successor = self.refresh_tokens.successor(presented)
        found = await self.rotation.refresh(token_hash(presented), token_hash(successor), utc_now())
        if found is None:
            if not made:
                await self.limits.count_guess()
            return GrantRefused()
        if found.wait is not None:
            raise TooManyAttemptsError(found.wait)
        if found.rotated:
            return await grant(self.tokens, found.account_id, found.session_id, successor)
        return await self._classify(found, successor)

    async def _classify(self, found: Refreshing, successor: str) -> RefreshOutcome:
        match classify(found.presented):
            case Verdict.REFUSE:
                return GrantRefused()
            case Verdict.REPEAT:
                log.info("refresh_token_repeated", session_id=str(found.session_id))
                return await grant(self.tokens, found.account_id, found.session_id, successor)
            case Verdict.REVOKE:
                await self._revoke(found.account_id, found.session_id, "refresh_token.reused")
                log.warning("refresh_token_reused", session_id=str(found.session_id), account_id=str(found.account_id))
                return Reused(found.session_id)
            case never:
                assert_never(never)

    async def revoke(self, token: str) -> None:
        """End the session of a refresh or access token; unknown tokens are ignored. Raises TooManyAttemptsError."""
        found = await (self._session_of_access_token(token) if "." in token else self._session_of(token))
        if found is None:
            return
        account_id, session_id = found
        await self._revoke(account_id, session_id, "session.ended")

    async def _session_of(self, token: str) -> tuple[UUID, UUID] | None:
        """The account and session of a refresh token, or None. Raises TooManyAttemptsError."""
        made = self.refresh_tokens.made(token)
        if not made:
            await self.limits.require_no_guessing()
        async with self.sessions.read() as reading:
            found = await _session_of_refresh_token(reading, token)
        if found is not None:
            await self.limits.admit_credential(f"session {found[1]}")
        elif not made:
            await self.limits.count_guess()
        return found

    async def _session_of_access_token(self, token: str) -> tuple[UUID, UUID] | None:
        try:
            verified = await self.tokens.verify(token)
        except NotAuthenticatedError:
            await self.limits.count_guess()
            return None
        return verified.principal.id, verified.session_id

    async def _revoke(self, account_id: UUID, session_id: UUID, action: str) -> None:
        async with self.sessions.begin() as session:
            await bind_principal(session, Principal.user(account_id))
            if await SessionWriter(session, account_id).revoke(session_id):
                await audit_account(session, account_id, AuditEntry(action, f"session:{session_id}"))
        self.tokens.forget_session(session_id)


async def _session_of_refresh_token(session: AsyncReadSession, token: str) -> tuple[UUID, UUID] | None:
    account_id = await AccountDirectory(session).owner_of(token_hash(token))
    if account_id is None:
        return None
    await bind_principal(session, Principal.user(account_id))
    session_id = await SessionRepository(session, account_id).of_token(token_hash(token))
    return None if session_id is None else (account_id, session_id)
