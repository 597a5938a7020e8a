from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response, status

from partywall.core.errors import MissingRightError, PreconditionFailedError, QuotaExceededError
from partywall.core.http.dependencies import PrincipalDep, PrincipalReadSessionDep, ReadProjectScopeDep, ReadSessionDep
from partywall.core.http.idempotency import IdempotencyKeyReusedError, RequestInProgressError
from partywall.core.http.idempotent import idempotent
from partywall.core.http.pagination import CursorsDep
from partywall.core.http.problems import documented
from partywall.core.http.responses import IfMatch, IfNoneMatch, entity_tag, json_response, not_modified, unchanged
from partywall.core.schemas import Page
from partywall.core.tenancy import ProjectNotFoundError
from partywall.features.projects import service as projects
from partywall.features.projects.dependencies import DirectoryServiceDep, ProjectServiceDep
from partywall.features.projects.exceptions import ProjectBusyError
from partywall.features.projects.schemas import Project, ProjectCreate, ProjectPatch, ProjectQuery

router = APIRouter(prefix="/projects", tags=["projects"])


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    response_model=Project,
    summary="Create a project",
    description="The caller becomes its owner.",
    responses=documented(QuotaExceededError, IdempotencyKeyReusedError, RequestInProgressError),
)
@idempotent()
async def create_project(body: ProjectCreate, service: DirectoryServiceDep, request: Request) -> Response:
    made = await service.create(body)
    location = f"{request.url.path.rstrip('/')}/{made.project.id}"
    return json_response(
        made.project, status.HTTP_201_CREATED, {"Location": location, "ETag": entity_tag(made.revision)}
    )


@router.get("", summary="List the caller's projects", description="Only projects that the caller is a member of.")
async def list_projects(
    session: PrincipalReadSessionDep,
    principal: PrincipalDep,
    query: Annotated[ProjectQuery, Query()],
    cursors: CursorsDep,
) -> Page[Project]:
    return await projects.list_projects(session, principal, query, cursors)


@router.get(
    "/{project_id}",
    response_model=Project,
    summary="Get a project",
    description="Returns 404 if the caller is not a member.",
    responses=documented(ProjectNotFoundError),
)
async def get_project(
    session: ReadSessionDep, scope: ReadProjectScopeDep, if_none_match: IfNoneMatch = None
) -> Response:
    found = await projects.get_project(session, scope)
    tag = entity_tag(found.revision, found.project.role)
    return not_modified(tag) if unchanged(if_none_match, tag) else json_response(found.project, 200, {"ETag": tag})


@router.patch(
    "/{project_id}",
    response_model=Project,
    summary="Change a project",
    description=(
        "A JSON merge patch (RFC 7396). After a change of `language`, the documents that depend on it are indexed "
        "again in the background."
    ),
    responses=documented(ProjectNotFoundError, MissingRightError, PreconditionFailedError),
)
async def update_project(body: ProjectPatch, service: ProjectServiceDep, if_match: IfMatch = None) -> Response:
    changed = await service.update(body, if_match)
    return json_response(changed.project, 200, {"ETag": entity_tag(changed.revision, changed.project.role)})


@router.delete(
    "/{project_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    summary="Delete a project",
    description="Deletes it and everything in it; only for owners. It is gone at once; its data is purged later.",
    responses=documented(ProjectNotFoundError, MissingRightError, PreconditionFailedError, ProjectBusyError),
)
async def delete_project(service: ProjectServiceDep, if_match: IfMatch = None) -> None:
    await service.delete(if_match)
