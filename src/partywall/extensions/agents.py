from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from partywall.core.agents import DeclaredAgents
from partywall.core.feature import Feature
from partywall.extensions.enabled import is_installed
from partywall.extensions.problem import Problem


def declared_agents(features: Sequence[Feature]) -> tuple[DeclaredAgents, ...]:
    return tuple(feature.agents for feature in features if feature.agents is not None)


def agent_problems(features: Sequence[Feature]) -> Iterator[Problem]:
    """Agents of installed features that are none, or whose names lack the feature's name, or are declared twice."""
    for feature in filter(is_installed, features):
        if feature.agents is not None:
            yield from _problems_of(feature, feature.agents)


def _problems_of(feature: Feature, declared: DeclaredAgents) -> Iterator[Problem]:
    # lint: allow import-in-function - only processes with such a feature need it at their start
    from partywall.features.agents.definition import AgentDefinition  # noqa: PLC0415 - see above

    agents: object = declared.load()
    if not isinstance(agents, Sequence) or not all(isinstance(agent, AgentDefinition) for agent in agents):
        yield Problem(feature.name, f"names {declared.target}, which is no sequence of AgentDefinition: correct it")
        return
    for name, times in Counter(agent.name for agent in agents).items():
        if times > 1:
            yield Problem(feature.name, f"declares the agent {name}, which is declared twice: rename it")
        if not name.startswith(f"{feature.name}_"):
            yield Problem(feature.name, f"declares the agent {name}: call it {feature.name}_{name}")
