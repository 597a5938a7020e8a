from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from partywall.core.http.dependencies import ProjectScopeDep, ResourcesDep, SessionDep
from partywall.features.agents.admission import RunPlaces
from partywall.features.agents.budget_service import BudgetService
from partywall.features.agents.registry import Registry, registry_of
from partywall.features.agents.service import RunService


async def get_registry(resources: ResourcesDep) -> Registry:
    return registry_of(resources.settings.agents.modules)


RegistryDep = Annotated[Registry, Depends(get_registry)]


async def get_run_service(
    session: SessionDep, scope: ProjectScopeDep, resources: ResourcesDep, registry: RegistryDep
) -> RunService:
    return RunService(
        session=session,
        scope=scope,
        announcer=resources.announcer,
        registry=registry,
        models=resources.language_models,
        places=RunPlaces.of(resources),
    )


async def get_budget_service(session: SessionDep, scope: ProjectScopeDep, resources: ResourcesDep) -> BudgetService:
    return BudgetService(session, scope, resources.announcer)


RunServiceDep = Annotated[RunService, Depends(get_run_service, scope="function")]
BudgetServiceDep = Annotated[BudgetService, Depends(get_budget_service, scope="function")]
