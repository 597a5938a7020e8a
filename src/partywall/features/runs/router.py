from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response, status

from partywall.core.errors import MissingRightError, QuotaExceededError
from partywall.core.http.body_limits import MEDIUM_BYTES
from partywall.core.http.dependencies import ReadProjectScopeDep, ReadSessionDep
from partywall.core.http.idempotency import IdempotencyKeyReusedError, RequestInProgressError
from partywall.core.http.idempotent import idempotent
from partywall.core.http.pagination import CursorsDep
from partywall.core.http.problems import documented
from partywall.core.http.request_facts import request_id_of, traceparent_of
from partywall.core.http.responses import IfNoneMatch, entity_tag, json_response, not_modified, unchanged
from partywall.core.language_models import AgentModelNotConfiguredError
from partywall.core.rights import requires
from partywall.core.schemas import Page
from partywall.core.tenancy import ProjectNotFoundError
from partywall.features.agents.exceptions import AgentInputError, AgentNotFoundError
from partywall.features.runs import service as runs
from partywall.features.runs.dependencies import CheckedRunDep, RunServiceDep
from partywall.features.runs.exceptions import (
    RunFinishedError,
    RunNotContinuableError,
    RunNotFinishedError,
    RunNotFoundError,
    RunNotWaitingError,
    RunPendingChangedError,
    TooManyOpenRunsError,
)
from partywall.features.runs.rights import RUN_DECIDE, RUN_START
from partywall.features.runs.schemas import Run, RunDecision, RunQuery

router = APIRouter(prefix="/projects/{project_id}/runs", tags=["agents"])


@router.post(
    "",
    status_code=status.HTTP_202_ACCEPTED,
    response_model=Run,
    summary="Start a run",
    description="A worker executes it. With `continues` it starts from the messages of an earlier run of the agent.",
    max_body_size=MEDIUM_BYTES,
    responses=documented(
        ProjectNotFoundError, MissingRightError, AgentNotFoundError, RunNotFoundError, AgentModelNotConfiguredError,
        AgentInputError, RunNotContinuableError, TooManyOpenRunsError, QuotaExceededError, IdempotencyKeyReusedError,
        RequestInProgressError,
    ),
)  # fmt: skip
@idempotent(requires(RUN_START))
async def start_run(checked: CheckedRunDep, service: RunServiceDep, request: Request) -> Response:
    run = await service.start(checked, request_id_of(request.scope), traceparent_of(request.scope))
    location = f"{request.url.path.rstrip('/')}/{run.id}"
    return json_response(run, status.HTTP_202_ACCEPTED, {"Location": location})


@router.get(
    "",
    response_model=Page[Run],
    summary="List runs",
    description="Newest first, filtered by `status` and `agent`. A page ends after 1 MiB; the next one continues.",
    responses=documented(ProjectNotFoundError, MissingRightError),
)
async def list_runs(
    session: ReadSessionDep,
    scope: ReadProjectScopeDep,
    query: Annotated[RunQuery, Query()],
    cursors: CursorsDep,
) -> Response:
    return json_response(await runs.list_runs(session, scope, query, cursors))


@router.get(
    "/{run_id}",
    response_model=Run,
    summary="Get a run",
    description="With its output once it has succeeded, and its pending tool calls while it waits for a decision.",
    responses=documented(ProjectNotFoundError, MissingRightError, RunNotFoundError),
)
async def get_run(
    run_id: UUID, session: ReadSessionDep, scope: ReadProjectScopeDep, if_none_match: IfNoneMatch = None
) -> Response:
    found = await runs.get_run(session, scope, run_id)
    tag = entity_tag(0, found.state)
    return not_modified(tag) if unchanged(if_none_match, tag) else json_response(found.run, 200, {"ETag": tag})


@router.delete(
    "/{run_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    summary="Delete a run",
    description="Deletes a finished run and its journal; its storage no longer counts. Its events stay.",
    responses=documented(ProjectNotFoundError, MissingRightError, RunNotFoundError, RunNotFinishedError),
)
async def delete_run(run_id: UUID, service: RunServiceDep) -> None:
    await service.delete(run_id)


@router.post(
    "/{run_id}/cancel",
    response_model=Run,
    summary="Cancel a run",
    description="A queued or waiting run ends at once; a running one ends within two seconds.",
    responses=documented(ProjectNotFoundError, MissingRightError, RunNotFoundError, RunFinishedError),
)
async def cancel_run(run_id: UUID, service: RunServiceDep) -> Response:
    return json_response(await service.cancel(run_id))


@router.post(
    "/{run_id}/decision",
    response_model=Run,
    summary="Decide on a run's tool calls",
    description="For a waiting run: its tool calls are executed, or the agent is told that they were rejected and why. "
    "`pending_id` is the one in the run's `pending`; the decision is refused if the run waits for another step.",
    responses=documented(
        ProjectNotFoundError, MissingRightError, RunNotFoundError, RunNotWaitingError, RunPendingChangedError,
        IdempotencyKeyReusedError, RequestInProgressError,
    ),
)  # fmt: skip
@idempotent(requires(RUN_DECIDE))
async def decide_run(run_id: UUID, body: RunDecision, service: RunServiceDep) -> Response:
    return json_response(await service.decide(run_id, body))
