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
    summary="Get a project's usage",
    description="Usage and limit of each of the project's quotas. For every member.",
    responses=documented(ProjectNotFoundError),
)
async def get_project_usage(session: ReadSessionDep, scope: ReadProjectScopeDep) -> ProjectUsage:
    return await quotas.get_project_usage(session, scope)


@router.get(
    "/users/me/usage",
    summary="Get the usage of the caller's account",
    description="Usage and limit of each of the account's quotas.",
    responses=documented(PersonRequiredError),
)
async def get_account_usage(session: PrincipalReadSessionDep, _: PersonDep) -> AccountUsage:
    return await quotas.get_account_usage(session)
