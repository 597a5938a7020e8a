from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import import_module
from itertools import chain
from types import MappingProxyType
from typing import cast

from partywall.core.agents import DeclaredAgents
from partywall.core.lazy import LoadError, load_errors
from partywall.core.resources import Resources
from partywall.features.agents.definition import AgentDefinition, AnyAgent


class RegistrationError(Exception):
    """A module of AGENTS__MODULES cannot be imported, has no agent, or its agent's name is taken."""


@dataclass(frozen=True)
class Registry:
    """The agents of this process."""

    agents: tuple[AnyAgent, ...]

    def __post_init__(self) -> None:
        if len(self.by_name) != len(self.agents):
            names = [agent.name for agent in self.agents]
            twice = sorted({name for name in names if names.count(name) > 1})
            raise RegistrationError(f"two agents have the same name: {', '.join(twice)}")

    @cached_property
    def by_name(self) -> Mapping[str, AnyAgent]:
        return MappingProxyType({agent.name: agent for agent in self.agents})


@cache
def registry_of(declared: tuple[DeclaredAgents, ...], modules: tuple[str, ...]) -> Registry:
    """The agents that features declare, and the `agent` of each module; raises RegistrationError.

    The first call imports their code, and Pydantic AI with it, which takes a while.
    """
    of_features = chain.from_iterable(each.load() for each in declared)
    return Registry((*(cast("AnyAgent", agent) for agent in of_features), *map(_agent_of, modules)))


def agents_of(resources: Resources) -> Registry:
    """The agents of this process; as `registry_of`."""
    return registry_of(resources.agents, resources.settings.agents.modules)


def _agent_of(name: str) -> AnyAgent:
    try:
        with load_errors():
            found = getattr(import_module(name), "agent", None)
    except LoadError as error:
        raise RegistrationError(f"AGENTS__MODULES names {name}, which cannot be imported: {error}") from error
    if not isinstance(found, AgentDefinition):
        raise RegistrationError(f"AGENTS__MODULES names {name}, which holds no AgentDefinition called agent")
    return cast("AnyAgent", found)
