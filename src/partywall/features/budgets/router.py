from __future__ import annotations

from fastapi import APIRouter, Response

from partywall.core.errors import MissingRightError, PreconditionFailedError, QuotaExceededError
from partywall.core.http.dependencies import ReadProjectScopeDep, ReadSessionDep
from partywall.core.http.problems import documented
from partywall.core.http.responses import IfMatch, IfNoneMatch, entity_tag, json_response, not_modified, unchanged
from partywall.core.tenancy import ProjectNotFoundError
from partywall.features.budgets import service as budgets
from partywall.features.budgets.dependencies import BudgetServiceDep
from partywall.features.budgets.schemas import Budget, BudgetUpdate
from partywall.features.budgets.service import ShownBudget

router = APIRouter(prefix="/projects/{project_id}/budget", tags=["agents"])


@router.get(
    "",
    response_model=Budget,
    summary="Get the budget",
    description="What the project's runs may use in this calendar month (UTC), and what they have used.",
    responses=documented(ProjectNotFoundError, MissingRightError),
)
async def get_budget(
    session: ReadSessionDep, scope: ReadProjectScopeDep, if_none_match: IfNoneMatch = None
) -> Response:
    shown = await budgets.get_budget(session, scope)
    tag = _tag(shown)
    return not_modified(tag) if unchanged(if_none_match, tag) else json_response(shown.budget, 200, {"ETag": tag})


@router.put(
    "",
    response_model=Budget,
    summary="Set the budget",
    description="Applies from the next call of any run. Omitted limits are unlimited, except that the operator's "
    "spending quota caps `cost`.",
    responses=documented(ProjectNotFoundError, MissingRightError, PreconditionFailedError, QuotaExceededError),
)
async def set_budget(body: BudgetUpdate, service: BudgetServiceDep, if_match: IfMatch = None) -> Response:
    shown = await service.put(body, if_match)
    return json_response(shown.budget, 200, {"ETag": _tag(shown)})


def _tag(shown: ShownBudget) -> str:
    used = shown.budget.used
    return entity_tag(shown.revision, f"{shown.budget.month}-{used.tokens}-{used.tool_calls}-{used.seconds}")
