from __future__ import annotations

import asyncio
from typing import Annotated
from uuid import UUID

from fastapi import Depends

from partywall.core.http.dependencies import ProjectScopeDep, ResourcesDep, ScopedReaderDep, SessionDep
from partywall.features.agents.admission import OpenRunLimits
from partywall.features.agents.budget_service import BudgetService
from partywall.features.agents.registry import Registry, registry_of
from partywall.features.agents.run_checks import RunChecks
from partywall.features.agents.schemas import RunStart
from partywall.features.agents.service import CheckedRun, RunService


async def get_registry(resources: ResourcesDep) -> Registry:
    return await asyncio.to_thread(registry_of, resources.settings.agents.modules)


RegistryDep = Annotated[Registry, Depends(get_registry)]


async def check_run(
    project_id: UUID, body: RunStart, reader: ScopedReaderDep, resources: ResourcesDep, registry: RegistryDep
) -> CheckedRun:
    """Validates the input before the request opens a transaction."""
    return await RunChecks(resources, registry).check(await reader.scope(project_id), body)


async def get_run_service(session: SessionDep, scope: ProjectScopeDep, resources: ResourcesDep) -> RunService:
    return RunService(
        session=session,
        scope=scope,
        limits=OpenRunLimits.of(resources),
    )


async def get_budget_service(session: SessionDep, scope: ProjectScopeDep) -> BudgetService:
    return BudgetService(session, scope)


CheckedRunDep = Annotated[CheckedRun, Depends(check_run)]
RunServiceDep = Annotated[RunService, Depends(get_run_service, scope="function")]
BudgetServiceDep = Annotated[BudgetService, Depends(get_budget_service, scope="function")]
