from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Response, status

from partywall.core.errors import MissingRightError, NotAuthenticatedError
from partywall.core.events.filters import TypeFilter
from partywall.core.events.frames import OPENING
from partywall.core.events.log_tailer import ServerDrainingError, TooManyStreamsError
from partywall.core.http.dependencies import ResourcesDep
from partywall.core.http.event_stream import EventStream
from partywall.core.http.problems import documented
from partywall.core.tenancy import ProjectNotFoundError
from partywall.features.live.dependencies import FollowerDep, LiveServiceDep, require_credential
from partywall.features.live.exceptions import TicketsUnavailableError
from partywall.features.live.schemas import WIRE_SCHEMA, EventNumber, Received, TypePatterns
from partywall.features.runs import service as runs
from partywall.features.runs.exceptions import RunNotFoundError

router = APIRouter(prefix="/projects/{project_id}/runs/{run_id}/events", tags=["agents"])


@router.get(
    "",
    status_code=status.HTTP_200_OK,
    response_class=EventStream,
    dependencies=[Depends(require_credential)],
    summary="Follow a run",
    description="The project's event stream with only this run's events; numbers and rules are the same. "
    "`?after=0` begins with the run's first event.",
    responses={
        200: {"description": "Events as they come", "content": {EventStream.media_type: {"schema": WIRE_SCHEMA}}},
        **documented(
            NotAuthenticatedError,
            ProjectNotFoundError,
            RunNotFoundError,
            MissingRightError,
            TooManyStreamsError,
            ServerDrainingError,
            TicketsUnavailableError,
        ),
    },
)
async def stream_run_events(
    project_id: UUID,
    run_id: UUID,
    follower: FollowerDep,
    service: LiveServiceDep,
    resources: ResourcesDep,
    last_event_id: Annotated[
        Received, Header(alias="Last-Event-ID", description="The number of the last event received.")
    ] = None,
    after: Annotated[EventNumber | None, Query(description="Like `Last-Event-ID`.")] = None,
    types: Annotated[TypePatterns | None, Query(description="Such as `run.token,run.succeeded`.")] = None,
) -> Response:
    await runs.require_run(resources.reader(follower.principal), project_id, run_id)
    start = last_event_id or after
    chosen = None if types is None else TypeFilter.parse(types)
    subscription = await service.follow(follower, project_id, None if start is None else int(start), chosen, run_id)
    return EventStream(subscription, OPENING, service.send_timeout)
