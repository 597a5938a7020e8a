from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

import orjson
from redis.asyncio import Redis
from redis.exceptions import RedisError

from partywall.core import cache_keys
from partywall.core.clock import unix_time
from partywall.core.errors import NotAuthenticatedError
from partywall.core.security.authentication import VerifiedCredential
from partywall.core.tenancy import Principal, ProjectScope
from partywall.features.live.exceptions import TicketsUnavailableError

_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Tickets:
    """Stand-ins for a credential, for clients that cannot send a header: one project, one use, some seconds."""

    cache: Redis
    ttl: timedelta

    async def issue(self, scope: ProjectScope, verified: VerifiedCredential) -> str:
        """A ticket that is worth what the token is worth; raises TicketsUnavailableError."""
        ticket = secrets.token_urlsafe(_BYTES)
        session = None if verified.session_id is None else str(verified.session_id)
        value = orjson.dumps([str(scope.project_id), str(verified.principal), session, verified.expires_at])
        try:
            await self.cache.set(cache_keys.ticket(ticket), value, ex=self.ttl)
        except (RedisError, OSError) as error:
            raise TicketsUnavailableError from error
        return ticket

    async def redeem(self, ticket: str, project_id: UUID) -> VerifiedCredential:
        """What the ticket stood for; raises NotAuthenticatedError for one that is used, expired or not for here.

        Whether its session and its right are still good is asked of the database, when the stream is opened.
        """
        try:
            value = await self.cache.getdel(cache_keys.ticket(ticket))
        except (RedisError, OSError) as error:
            raise TicketsUnavailableError from error
        if value is None:
            raise NotAuthenticatedError("The ticket is used, expired or unknown.")
        project, principal, session, expires_at = orjson.loads(value)
        if project != str(project_id) or expires_at <= unix_time():
            raise NotAuthenticatedError("The ticket is used, expired or unknown.")
        return VerifiedCredential(Principal.parse(principal), float(expires_at), UUID(session) if session else None)
