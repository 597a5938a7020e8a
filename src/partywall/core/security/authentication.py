"""Authenticates bearer tokens: all kinds of credentials in the Authorization header."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID

from partywall.core.tenancy import Principal

# The end of the year 9999 in Unix time, for credentials that do not expire.
NEVER: Final = 253402300799.0


@dataclass(frozen=True, slots=True)
class VerifiedCredential:
    """The principal of a valid credential, until `expires_at` (Unix time), and its session, which may be revoked."""

    principal: Principal
    expires_at: float
    session_id: UUID | None = None


class Authenticator(Protocol):
    """Port for verifying bearer tokens, such as access tokens and project keys."""

    def cached(self, token: str) -> Principal | None:
        """The principal of a token that was verified recently and has not expired, without I/O; otherwise None."""
        ...

    async def authenticate(self, token: str) -> Principal:
        """Verifies the token; raises NotAuthenticatedError."""
        ...

    async def verify(self, token: str) -> VerifiedCredential:
        """Like `authenticate`, with expiry and session."""
        ...


@dataclass(frozen=True, slots=True)
class ForeignTokens:
    """Another issuer's access tokens: those that `own_type`, which is asked for unknown tokens only, denies."""

    authenticator: Authenticator
    own_type: Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Credentials:
    """Access tokens and project keys, distinguished by `key_prefix`."""

    access_tokens: Authenticator
    api_keys: Authenticator
    key_prefix: str
    foreign: ForeignTokens | None = None

    def cached(self, token: str) -> Principal | None:
        if token.startswith(self.key_prefix):
            return self.api_keys.cached(token)
        known = self.access_tokens.cached(token)
        return known if known is not None or self.foreign is None else self.foreign.authenticator.cached(token)

    async def authenticate(self, token: str) -> Principal:
        return await self._authenticator(token).authenticate(token)

    async def verify(self, token: str) -> VerifiedCredential:
        return await self._authenticator(token).verify(token)

    def _authenticator(self, token: str) -> Authenticator:
        if token.startswith(self.key_prefix):
            return self.api_keys
        if self.foreign is None or self.foreign.own_type(token):
            return self.access_tokens
        return self.foreign.authenticator
