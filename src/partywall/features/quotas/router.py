from __future__ import annotations

from fastapi import APIRouter

from partywall.core.errors import PersonRequiredError
from partywall.core.http.dependencies import PersonDep, PrincipalReadSessionDep, ReadProjectScopeDep, ReadSessionDep
from partywall.core.http.problems import documented
from partywall.core.tenancy import ProjectNotFoundError
from partywall.features.quotas import service as quotas
from partywall.features.quotas.schemas import AccountUsage, ProjectUsage

router = APIRouter(tags=["quotas"])


@router.get(
    "/projects/{project_id}/usage",
    summary="Get what a project uses",
    description="Of each limit that the operator has set: what is used, and how much may be. For every member.",
    responses=documented(ProjectNotFoundError),
)
async def get_project_usage(session: ReadSessionDep, scope: ReadProjectScopeDep) -> ProjectUsage:
    return await quotas.get_project_usage(session, scope)


@router.get(
    "/users/me/usage",
    summary="Get what the caller's account uses",
    description="Of the limits that the operator has set for accounts.",
    responses=documented(PersonRequiredError),
)
async def get_account_usage(session: PrincipalReadSessionDep, _: PersonDep) -> AccountUsage:
    return await quotas.get_account_usage(session)
