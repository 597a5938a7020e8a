from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final
from uuid import UUID

import orjson
from redis.asyncio import Redis
from redis.exceptions import RedisError

from partywall.core import cache_keys
from partywall.core.clock import unix_time
from partywall.core.concurrency_limiter import TimedSlots
from partywall.core.errors import NotAuthenticatedError
from partywall.core.security.authentication import VerifiedCredential
from partywall.core.security.opaque_tokens import token_hash
from partywall.core.security.secrets import Signer
from partywall.core.tenancy import Principal, PrincipalKind, ProjectScope
from partywall.features.live.exceptions import TicketsUnavailableError, TooManyTicketsError

# The purpose of the signer's key.
PURPOSE: Final = "stream tickets"
_BYTES: Final = 32
_MAC_BYTES: Final = 32
_LONGEST: Final = 512
_FOR: Final = (PrincipalKind.USER, PrincipalKind.KEY)


@dataclass(frozen=True, slots=True)
class UnusedTickets:
    """Limits the unused tickets of this process, per principal, project and account, like the streams they open."""

    slots: TimedSlots
    each_principal: int

    def count(self, principal: Principal, project_id: UUID, account: UUID) -> None:
        """Raises TooManyTicketsError."""
        third = self.slots.slots.third
        if not self.slots.take({principal: self.each_principal, ("project", project_id): third, account: third}):
            raise TooManyTicketsError(int(self.slots.seconds))


@dataclass(frozen=True, slots=True)
class Tickets:
    """Short-lived, single-use replacements of a credential for one project, for clients that cannot send headers.

    The cache stores the ticket's claims with a MAC over them and the ticket's hash. So write access to the cache is
    not enough to forge, change or swap tickets.
    """

    cache: Redis
    ttl: timedelta
    signer: Signer = field(repr=False)

    async def issue(self, scope: ProjectScope, verified: VerifiedCredential) -> str:
        """Return a ticket that stands for `verified`. Raises NotAuthenticatedError or TicketsUnavailableError."""
        if verified.principal.kind not in _FOR:
            raise NotAuthenticatedError
        ticket = secrets.token_urlsafe(_BYTES)
        session = None if verified.session_id is None else str(verified.session_id)
        until = min(verified.expires_at, unix_time() + self.ttl.total_seconds())
        said = orjson.dumps([str(scope.project_id), str(verified.principal), session, verified.expires_at, until])
        value = self.signer.sign(token_hash(ticket) + said) + said
        try:
            await self.cache.set(cache_keys.ticket(ticket), value, ex=self.ttl)
        except (RedisError, OSError) as error:
            raise TicketsUnavailableError from error
        return ticket

    async def redeem(self, ticket: str, project_id: UUID) -> VerifiedCredential:
        """Return the ticket's credential. Raises NotAuthenticatedError if it is used, expired, unknown or for another
        project, and TicketsUnavailableError.

        Revocation and rights are checked in the database when the stream is opened.
        """
        value = await self._take(ticket)
        mac, said = value[:_MAC_BYTES], value[_MAC_BYTES:]
        if not self.signer.verify(token_hash(ticket) + said, mac):
            raise NotAuthenticatedError("The ticket is used, expired or unknown.")
        project, text, session, expires_at, until = orjson.loads(said)
        principal = Principal.parse(text)
        if project != str(project_id) or until <= unix_time() or principal.kind not in _FOR:
            raise NotAuthenticatedError("The ticket is used, expired or unknown.")
        return VerifiedCredential(principal, float(expires_at), UUID(session) if session else None)

    async def _take(self, ticket: str) -> bytes:
        """Take the value out of the cache, truncated; concurrent callers get nothing."""
        key = cache_keys.ticket(ticket)
        try:
            async with self.cache.pipeline(transaction=True) as pipeline:
                await pipeline.getrange(key, 0, _LONGEST)
                await pipeline.delete(key)
                value, deleted = await pipeline.execute(raise_on_error=False)
        except (RedisError, OSError) as error:
            raise TicketsUnavailableError from error
        return value if isinstance(value, bytes) and deleted == 1 else b""
