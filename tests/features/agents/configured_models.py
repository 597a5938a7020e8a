from __future__ import annotations

from dataclasses import dataclass

from partywall.core.language_models import AgentModelNotConfiguredError, LanguageModel


@dataclass(frozen=True)
class Configured:
    """Stands in for the operator's models; none is called here."""

    agents: frozenset[str]

    def has(self, agent: str) -> bool:
        return agent in self.agents

    def read(self) -> None: ...

    def named(self, agent: str) -> LanguageModel:
        raise AgentModelNotConfiguredError(agent)
