from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Depends

from partywall.core.http.dependencies import ProjectScopeDep, ResourcesDep, ScopedReaderDep, SessionDep
from partywall.features.agents.dependencies import RegistryDep
from partywall.features.runs.admission import OpenRunLimits
from partywall.features.runs.run_checks import RunChecks
from partywall.features.runs.schemas import RunStart
from partywall.features.runs.service import CheckedRun, RunService


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


CheckedRunDep = Annotated[CheckedRun, Depends(check_run)]
RunServiceDep = Annotated[RunService, Depends(get_run_service, scope="function")]
