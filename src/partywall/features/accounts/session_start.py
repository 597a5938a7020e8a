from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from partywall.core.audit.trail import AuditEntry, audit_account
from partywall.core.clock import utc_now
from partywall.core.db.session import AsyncSession
from partywall.core.security.opaque_tokens import token_hash
from partywall.core.security.tokens import AccessTokens
from partywall.features.accounts.constants import MAX_SESSIONS, REVOKED_KEPT
from partywall.features.accounts.refresh_tokens import RefreshTokens
from partywall.features.accounts.session_repository import SessionWriter
from partywall.features.accounts.token_grant import TokenPair, grant


@dataclass(frozen=True, slots=True)
class SessionStarter:
    """Starts a session of the bound user, who has just proved who they are."""

    session: AsyncSession
    tokens: AccessTokens
    refresh_tokens: RefreshTokens
    refresh_ttl: timedelta

    async def prepare(self) -> None:
        """Call it before the transaction's first statement."""
        await self.tokens.prepare()

    async def start(self, account_id: UUID, user_agent: str | None) -> TokenPair:
        """Call it while the account's row is locked."""
        now = utc_now()
        writer = SessionWriter(self.session, account_id)
        # Keep a revoked session for as long as one of its access tokens may be valid.
        await writer.prune_sessions(now - self.refresh_ttl, now - max(REVOKED_KEPT, self.tokens.ttl))
        refresh_token = self.refresh_tokens.new()
        session_id = await writer.start(token_hash(refresh_token), user_agent, now + self.refresh_ttl)
        await writer.end_oldest(MAX_SESSIONS)
        await audit_account(self.session, account_id, AuditEntry("login.succeeded", f"session:{session_id}"))
        return await grant(self.tokens, account_id, session_id, refresh_token)
