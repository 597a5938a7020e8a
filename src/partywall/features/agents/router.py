from __future__ import annotations

from fastapi import APIRouter

from partywall.core.errors import MissingRightError
from partywall.core.http.dependencies import ReadProjectScopeDep, ResourcesDep
from partywall.core.http.problems import documented
from partywall.core.tenancy import ProjectNotFoundError
from partywall.features.agents import service
from partywall.features.agents.dependencies import RegistryDep
from partywall.features.agents.schemas import Agents

router = APIRouter(prefix="/projects/{project_id}/agents", tags=["agents"])


@router.get(
    "",
    summary="List the agents",
    description="With each agent's purpose, the JSON Schemas of its input and output, and whether it has a model.",
    responses=documented(ProjectNotFoundError, MissingRightError),
)
async def list_agents(scope: ReadProjectScopeDep, registry: RegistryDep, resources: ResourcesDep) -> Agents:
    return service.list_agents(scope, registry, resources.language_models)
