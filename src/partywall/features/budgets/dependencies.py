from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from partywall.core.http.dependencies import ProjectScopeDep, SessionDep
from partywall.features.budgets.service import BudgetService


async def get_budget_service(session: SessionDep, scope: ProjectScopeDep) -> BudgetService:
    return BudgetService(session, scope)


BudgetServiceDep = Annotated[BudgetService, Depends(get_budget_service, scope="function")]
