"""Whose bearer token is this? Everything that can stand in the Authorization header is answered for here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID

from partywall.core.tenancy import Principal

# The end of the year 9999, in Unix time: for credentials that do not expire by themselves.
NEVER: Final = 253402300799.0


@dataclass(frozen=True, slots=True)
class VerifiedCredential:
    """Who a valid credential speaks for, until `expires_at` (Unix time), and in which session, which may be revoked."""

    principal: Principal
    expires_at: float
    session_id: UUID | None = None


class Authenticator(Protocol):
    """Says whose bearer token this is. Trusted issuers and project keys all stand behind this port."""

    def cached(self, token: str) -> Principal | None:
        """The principal of a token that was verified before and has not expired; no I/O, no verification."""
        ...

    async def authenticate(self, token: str) -> Principal:
        """Verifies the token; raises NotAuthenticatedError."""
        ...

    async def verify(self, token: str) -> VerifiedCredential:
        """Like `authenticate`, and says how long the token is good for."""
        ...


@dataclass(frozen=True, slots=True)
class Credentials:
    """Access tokens and project keys, told apart by how a key begins."""

    access_tokens: Authenticator
    api_keys: Authenticator
    key_prefix: str

    def cached(self, token: str) -> Principal | None:
        return self._authenticator(token).cached(token)

    async def authenticate(self, token: str) -> Principal:
        return await self._authenticator(token).authenticate(token)

    async def verify(self, token: str) -> VerifiedCredential:
        return await self._authenticator(token).verify(token)

    def _authenticator(self, token: str) -> Authenticator:
        return self.api_keys if token.startswith(self.key_prefix) else self.access_tokens
