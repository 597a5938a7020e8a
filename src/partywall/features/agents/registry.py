from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import import_module
from types import MappingProxyType
from typing import cast

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
def registry_of(modules: tuple[str, ...]) -> Registry:
    """The built-in agents, and the `agent` of each module; raises RegistrationError.

    The first call imports their code, which takes a while.
    """
    # lint: allow import-in-function - imports Pydantic AI, which would delay the start of every process
    from partywall.features.agents.builtin import AGENTS  # noqa: PLC0415 - see above

    return Registry((*AGENTS, *(_agent_of(name) for name in modules)))


def _agent_of(name: str) -> AnyAgent:
    try:
        found = getattr(import_module(name), "agent", None)
    except (Exception, SystemExit) as error:  # an operator's module may fail in any way
        said = " ".join(str(error).split()) or type(error).__name__
        raise RegistrationError(f"AGENTS__MODULES names {name}, which cannot be imported: {said}") from error
    if not isinstance(found, AgentDefinition):
        raise RegistrationError(f"AGENTS__MODULES names {name}, which holds no AgentDefinition called agent")
    return cast("AnyAgent", found)
