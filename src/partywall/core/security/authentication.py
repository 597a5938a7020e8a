from __future__ import annotations

from typing import Protocol

from partywall.core.security.tokens import VerifiedToken
from partywall.core.tenancy import Principal


class Authenticator(Protocol):
    """Says whose bearer token this is. Trusted issuers and project keys all stand behind this port."""

    def cached(self, token: str) -> Principal | None:
        """The principal of a token that was verified before and has not expired; no I/O, no verification."""
        ...

    async def authenticate(self, token: str) -> Principal:
        """Verifies the token; raises NotAuthenticatedError."""
        ...

    async def verify(self, token: str) -> VerifiedToken:
        """Like `authenticate`, and says how long the token is good for."""
        ...
