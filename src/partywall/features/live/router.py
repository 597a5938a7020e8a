from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Response, WebSocket, status

from partywall.core.errors import MissingRightError, NotAuthenticatedError
from partywall.core.events.filters import TypeFilter
from partywall.core.events.frames import OPENING
from partywall.core.events.log_tailer import ServerDrainingError, TooManyStreamsError
from partywall.core.http.dependencies import ScopedReaderDep
from partywall.core.http.event_socket import EventSocket
from partywall.core.http.event_stream import EventStream
from partywall.core.http.problems import documented
from partywall.core.http.responses import json_response
from partywall.core.rights import require
from partywall.core.tenancy import ProjectNotFoundError
from partywall.features.live.dependencies import (
    BearerDep,
    FollowerDep,
    LiveServiceDep,
    SocketCallerDep,
    TicketsDep,
    UnusedTicketsDep,
    require_credential,
)
from partywall.features.live.exceptions import TicketsUnavailableError, TooManyTicketsError
from partywall.features.live.rights import EVENT_READ
from partywall.features.live.schemas import WIRE_SCHEMA, EventNumber, Received, Ticket, TypePatterns

router = APIRouter(prefix="/projects/{project_id}/events", tags=["events"])
socket_router = APIRouter(prefix="/projects/{project_id}")


@router.get(
    "",
    status_code=status.HTTP_200_OK,
    response_class=EventStream,
    dependencies=[Depends(require_credential)],
    summary="Follow a project's events",
    description="Server-sent events in order of their numbers, each exactly once. Starts with new events, or after "
    "`Last-Event-ID` (which takes precedence) or `after`. Takes a bearer token or a ticket, and ends with the "
    "credential.",
    responses={
        200: {"description": "A stream of events", "content": {EventStream.media_type: {"schema": WIRE_SCHEMA}}},
        **documented(
            NotAuthenticatedError,
            ProjectNotFoundError,
            MissingRightError,
            TooManyStreamsError,
            ServerDrainingError,
            TicketsUnavailableError,
        ),
    },
)
async def stream_events(
    project_id: UUID,
    follower: FollowerDep,
    service: LiveServiceDep,
    last_event_id: Annotated[
        Received, Header(alias="Last-Event-ID", description="The number of the last event received.")
    ] = None,
    after: Annotated[EventNumber | None, Query(description="Like `Last-Event-ID`.")] = None,
    types: Annotated[TypePatterns | None, Query(description="Such as `document.*,member.added`.")] = None,
) -> Response:
    start = last_event_id or after
    subscription = await service.follow(
        follower, project_id, None if start is None else int(start), None if types is None else TypeFilter.parse(types)
    )
    return EventStream(subscription, OPENING, service.send_timeout)


@router.post(
    "/ticket",
    response_model=Ticket,
    summary="Get a ticket for the event stream",
    description="For browsers, whose `EventSource` sends no headers: use it once in `GET /events?ticket=`, within "
    "seconds.",
    responses=documented(ProjectNotFoundError, MissingRightError, TooManyTicketsError, TicketsUnavailableError),
)
async def create_event_ticket(
    project_id: UUID, bearer: BearerDep, reader: ScopedReaderDep, tickets: TicketsDep, unused: UnusedTicketsDep
) -> Response:
    if bearer is None:
        raise NotAuthenticatedError
    scope = await reader.scope(project_id)
    require(scope, EVENT_READ)
    unused.count(scope.principal, project_id, await reader.account(project_id))
    ticket = await tickets.issue(scope, bearer)
    return json_response(
        Ticket(ticket=ticket, expires_in=int(tickets.ttl.total_seconds())), headers={"Cache-Control": "no-store"}
    )


@socket_router.websocket("/ws")
async def follow_events(
    project_id: UUID, websocket: WebSocket, greeted: SocketCallerDep, service: LiveServiceDep
) -> None:
    """The same events as WebSocket messages. See docs/reference/events.md for the first message and close codes."""
    verified, hello = greeted
    types = None if hello.types is None else TypeFilter.parse(hello.types)
    subscription = await service.follow(verified, project_id, hello.after, types, singly=True)
    await EventSocket(websocket, subscription, service.send_timeout, lambda: service.is_still_valid(verified)).run()
