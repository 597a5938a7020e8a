"""Outcomes that logins and refreshes share, and the token pair that both return."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from partywall.core.security.tokens import AccessTokens


@dataclass(frozen=True, slots=True)
class TokenPair:
    access_token: str
    expires_in: int
    refresh_token: str


@dataclass(frozen=True, slots=True)
class GrantRefused:
    """The same outcome for every reason."""


@dataclass(frozen=True, slots=True)
class LockedOut:
    remaining: timedelta


async def grant(tokens: AccessTokens, account_id: UUID, session_id: UUID, refresh_token: str) -> TokenPair:
    access = await tokens.issue(account_id, session_id)
    return TokenPair(access.token, access.expires_in, refresh_token)
