from __future__ import annotations

from typing import Annotated, NamedTuple
from uuid import UUID

from fastapi import Depends, Query, Request, WebSocket
from fastapi.security import APIKeyQuery

from partywall.core.errors import NotAuthenticatedError
from partywall.core.http.dependencies import ResourcesDep, bearer_token, remember_principal
from partywall.core.http.sockets import first_message, pending_handshake
from partywall.core.security.authentication import VerifiedCredential
from partywall.core.security.revocation_check import RevocationCheck
from partywall.features.live.schemas import SocketHello
from partywall.features.live.service import LiveService
from partywall.features.live.tickets import PURPOSE, Tickets, UnusedTickets

_ticket = APIKeyQuery(
    name="ticket", scheme_name="StreamTicket", auto_error=False, description="Opens one stream, within a short time."
)


async def get_tickets(resources: ResourcesDep) -> Tickets:
    return Tickets(resources.cache, resources.settings.events.ticket_ttl, resources.secrets.signer(PURPOSE))


TicketsDep = Annotated[Tickets, Depends(get_tickets)]


async def get_unused_tickets(resources: ResourcesDep) -> UnusedTickets:
    return UnusedTickets(resources.unused_tickets, resources.settings.events.connections_per_principal)


UnusedTicketsDep = Annotated[UnusedTickets, Depends(get_unused_tickets)]


async def get_bearer(request: Request, resources: ResourcesDep) -> VerifiedCredential | None:
    token = bearer_token(request.headers.get("authorization"))
    return None if token is None else await resources.authenticator.verify(token)


BearerDep = Annotated[VerifiedCredential | None, Depends(get_bearer)]


async def require_credential(bearer: BearerDep, ticket: Annotated[str | None, Depends(_ticket)]) -> None:
    """Reject requests without a credential, before the route's other dependencies run. Routes with tickets use it."""
    if bearer is None and not ticket:
        raise NotAuthenticatedError


async def get_follower(
    project_id: UUID,
    request: Request,
    tickets: TicketsDep,
    bearer: BearerDep,
    ticket: Annotated[str | None, Query(max_length=200, description="Instead of the Authorization header.")] = None,
) -> VerifiedCredential:
    """The credential of the bearer token, or else of the ticket, which must be for this project."""
    verified = bearer or await tickets.redeem(ticket or "", project_id)
    remember_principal(request.scope, verified.principal)
    return verified


FollowerDep = Annotated[VerifiedCredential, Depends(get_follower)]


class SocketCaller(NamedTuple):
    """A WebSocket's credential and its first message."""

    verified: VerifiedCredential
    hello: SocketHello


async def first_message_of(
    project_id: UUID, websocket: WebSocket, resources: ResourcesDep, tickets: TicketsDep
) -> SocketCaller:
    """Accept the socket and authenticate it by the token or ticket in its first message."""
    with pending_handshake(websocket, resources):
        hello = await first_message(websocket, SocketHello)
        if hello.token is not None:
            verified = await resources.authenticator.verify(hello.token)
        else:
            verified = await tickets.redeem(hello.ticket or "", project_id)
    remember_principal(websocket.scope, verified.principal)
    return SocketCaller(verified, hello)


SocketCallerDep = Annotated[SocketCaller, Depends(first_message_of)]


async def get_live_service(resources: ResourcesDep) -> LiveService:
    events = resources.settings.events
    return LiveService(
        resources.reads,
        resources.tailers,
        events.heartbeat,
        events.send_timeout.total_seconds(),
        RevocationCheck(resources.sessions),
    )


LiveServiceDep = Annotated[LiveService, Depends(get_live_service)]
