from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import assert_never
from uuid import UUID

import structlog

from partywall.core.clock import utc_now
from partywall.core.db.session import AsyncReadSession, AsyncSession, Sessions, after_commit, bind_principal
from partywall.core.errors import NotAuthenticatedError
from partywall.core.security.opaque_tokens import token_hash
from partywall.core.security.tokens import AccessTokens
from partywall.core.tenancy import Principal
from partywall.features.accounts.issuing import Granted, Refused, grant
from partywall.features.accounts.limits import ClientLimits
from partywall.features.accounts.refresh_tokens import RefreshTokens
from partywall.features.accounts.repository import AccountDirectory
from partywall.features.accounts.rotation import Verdict, judge
from partywall.features.accounts.session_repository import SessionRepository, SessionWriter

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Reused:
    """The token's successor had been used before: its session is revoked, and that must be stored."""

    session_id: UUID


type RefreshOutcome = Granted | Refused | Reused


@dataclass(frozen=True, slots=True)
class RefreshService:
    """Exchanges and revokes tokens, whoever holds them.

    What is counted is the use of a session, by whoever holds its tokens. Of a client only made up tokens are counted:
    nobody can stop their neighbours' sessions.
    """

    session: AsyncSession
    sessions: Sessions
    tokens: AccessTokens
    refresh_tokens: RefreshTokens
    limits: ClientLimits
    ttl: timedelta

    async def refresh(self, presented: str) -> RefreshOutcome:
        """Raises TooManyAttemptsError."""
        await self.tokens.prepare()
        found = await self._admitted(presented)
        if found is None:
            return Refused()
        account_id, _ = found
        await bind_principal(self.session, Principal.user(account_id))
        now = utc_now()
        writer = SessionWriter(self.session, account_id)
        successor = self.refresh_tokens.successor(presented)
        session_id = await writer.rotate(token_hash(presented), token_hash(successor), now + self.ttl)
        if session_id is None:
            return await self._judge(writer, presented, successor)
        await writer.prune_tokens(session_id, now - self.ttl)
        return await grant(self.tokens, account_id, session_id, successor)

    async def _admitted(self, presented: str) -> tuple[UUID, UUID] | None:
        """The account and the session of a token, where there are such; raises TooManyAttemptsError."""
        made = self.refresh_tokens.made(presented)
        if not made:
            await self.limits.require_no_guessing()
        async with self.sessions.read() as reading:
            found = await _session_of_refresh_token(reading, presented)
        if found is not None:
            await self.limits.admit_credential(f"session {found[1]}")
        elif not made:
            await self.limits.count_guess()
        return found

    async def _judge(self, writer: SessionWriter, presented: str, successor: str) -> RefreshOutcome:
        token = await writer.presented(token_hash(presented), token_hash(successor))
        if token is None:
            return Refused()
        match judge(token):
            case Verdict.REFUSE:
                return Refused()
            case Verdict.REPEAT:
                log.info("refresh_token_repeated", session_id=str(token.session_id))
                return await grant(self.tokens, writer.account_id, token.session_id, successor)
            case Verdict.REVOKE:
                await self._revoke(writer, token.session_id)
                log.warning("refresh_token_reused", session_id=str(token.session_id), account_id=str(writer.account_id))
                return Reused(token.session_id)
            case never:
                assert_never(never)

    async def revoke(self, token: str) -> None:
        """Ends the session that a refresh token or an access token belongs to; no news of an unknown one.

        Raises TooManyAttemptsError.
        """
        found = await (self._session_of_access_token(token) if "." in token else self._admitted(token))
        if found is None:
            return
        account_id, session_id = found
        await bind_principal(self.session, Principal.user(account_id))
        await self._revoke(SessionWriter(self.session, account_id), session_id)

    async def _session_of_access_token(self, token: str) -> tuple[UUID, UUID] | None:
        try:
            verified = await self.tokens.verify(token)
        except NotAuthenticatedError:
            await self.limits.count_guess()
            return None
        return verified.principal.id, verified.session_id

    async def _revoke(self, writer: SessionWriter, session_id: UUID) -> None:
        await writer.revoke(session_id)

        async def forget() -> None:
            self.tokens.forget_session(session_id)

        after_commit(self.session, forget)


async def _session_of_refresh_token(session: AsyncReadSession, token: str) -> tuple[UUID, UUID] | None:
    account_id = await AccountDirectory(session).owner_of(token_hash(token))
    if account_id is None:
        return None
    await bind_principal(session, Principal.user(account_id))
    session_id = await SessionRepository(session, account_id).of_token(token_hash(token))
    return None if session_id is None else (account_id, session_id)
