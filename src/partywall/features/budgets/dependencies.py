from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from partywall.core.http.dependencies import ProjectScopeDep, ResourcesDep, SessionDep
from partywall.features.budgets.service import BudgetService


async def get_budget_service(session: SessionDep, scope: ProjectScopeDep, resources: ResourcesDep) -> BudgetService:
    return BudgetService(session, scope, resources.sequencer)


BudgetServiceDep = Annotated[BudgetService, Depends(get_budget_service, scope="function")]
