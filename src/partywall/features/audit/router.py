from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from partywall.core.errors import MissingRightError
from partywall.core.http.dependencies import (
    PersonDep,
    PrincipalReadSessionDep,
    ReadProjectScopeDep,
    ReadSessionDep,
)
from partywall.core.http.pagination import CursorsDep
from partywall.core.http.problems import documented
from partywall.core.schemas import Page
from partywall.core.tenancy import ProjectNotFoundError
from partywall.features.audit import service as trail
from partywall.features.audit.dependencies import AuditExportDep
from partywall.features.audit.schemas import AuditQuery, AuditRecord


class JsonLines(StreamingResponse):
    # Generators of clients know no other media type of lines than text.
    media_type = "text/jsonl"


router = APIRouter(tags=["audit"])


@router.get(
    "/users/me/audit",
    summary="List what happened to the caller's account",
    description="Logins, wrong passwords, locks, repeated refresh tokens and new passwords, newest first.",
)
async def list_account_audit(
    session: PrincipalReadSessionDep, principal: PersonDep, query: Annotated[AuditQuery, Query()], cursors: CursorsDep
) -> Page[AuditRecord]:
    return await trail.list_account_audit(session, principal.id, query, cursors)


@router.get(
    "/users/me/audit/export",
    response_class=JsonLines,
    summary="Export what happened to the caller's account",
    description="The whole list, oldest first: one JSON object on each line.",
)
async def export_account_audit(session: PrincipalReadSessionDep, export: AuditExportDep) -> JsonLines:
    return JsonLines(await export.of_account(session))


@router.get(
    "/projects/{project_id}/audit",
    summary="List who changed the access to the project",
    description="Members, roles, invitations, keys and decisions on runs, newest first. Only owners see it.",
    responses=documented(ProjectNotFoundError, MissingRightError),
)
async def list_project_audit(
    session: ReadSessionDep, scope: ReadProjectScopeDep, query: Annotated[AuditQuery, Query()], cursors: CursorsDep
) -> Page[AuditRecord]:
    return await trail.list_project_audit(session, scope, query, cursors)


@router.get(
    "/projects/{project_id}/audit/export",
    response_class=JsonLines,
    summary="Export who changed the access to the project",
    description="The whole list, oldest first: one JSON object on each line. It ends early if the caller loses the "
    "right meanwhile.",
    responses=documented(ProjectNotFoundError, MissingRightError),
)
async def export_project_audit(
    session: ReadSessionDep, scope: ReadProjectScopeDep, export: AuditExportDep
) -> JsonLines:
    return JsonLines(await export.of_project(session, scope))
