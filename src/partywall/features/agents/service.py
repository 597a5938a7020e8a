from __future__ import annotations

from partywall.core.language_models import LanguageModels
from partywall.core.rights import require
from partywall.core.tenancy import ProjectScope
from partywall.features.agents.definition import AnyAgent
from partywall.features.agents.registry import Registry
from partywall.features.agents.rights import RUN_READ
from partywall.features.agents.schemas import Agent, Agents


def list_agents(scope: ProjectScope, registry: Registry, models: LanguageModels) -> Agents:
    require(scope, RUN_READ)
    return Agents(items=[_agent(agent, models) for agent in registry.agents])


def _agent(agent: AnyAgent, models: LanguageModels) -> Agent:
    return Agent(
        name=agent.name,
        description=agent.description,
        available=models.has(agent.name),
        input_schema=agent.input.model_json_schema(),
        output_schema=agent.output.model_json_schema(mode="serialization"),
    )
