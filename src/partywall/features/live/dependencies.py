from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query, Request

from partywall.core.errors import NotAuthenticatedError
from partywall.core.http.dependencies import ResourcesDep, bearer_token, remember_principal
from partywall.core.security.authentication import VerifiedCredential
from partywall.features.live.service import LiveService
from partywall.features.live.tickets import Tickets


async def get_tickets(resources: ResourcesDep) -> Tickets:
    return Tickets(resources.cache, resources.settings.events.ticket_ttl)


TicketsDep = Annotated[Tickets, Depends(get_tickets)]


async def get_bearer(request: Request, resources: ResourcesDep) -> VerifiedCredential | None:
    token = bearer_token(request.headers.get("authorization"))
    return None if token is None else await resources.authenticator.verify(token)


BearerDep = Annotated[VerifiedCredential | None, Depends(get_bearer)]


async def require_credential(request: Request, bearer: BearerDep) -> None:
    """The gate of the one route that also takes a ticket; stands before everything else that the route asks for."""
    if bearer is None and not request.query_params.get("ticket"):
        raise NotAuthenticatedError


async def get_follower(
    project_id: UUID,
    request: Request,
    tickets: TicketsDep,
    bearer: BearerDep,
    ticket: Annotated[str | None, Query(max_length=200, description="Instead of the Authorization header.")] = None,
) -> VerifiedCredential:
    """Whom the bearer token speaks for, or else the ticket, which must be for this project."""
    verified = bearer or await tickets.redeem(ticket or "", project_id)
    remember_principal(request.scope, verified.principal)
    return verified


FollowerDep = Annotated[VerifiedCredential, Depends(get_follower)]


async def get_live_service(resources: ResourcesDep) -> LiveService:
    return LiveService(resources.reads, resources.tails, resources.settings.events.heartbeat)


LiveServiceDep = Annotated[LiveService, Depends(get_live_service)]
