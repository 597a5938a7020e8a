from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from partywall.core.errors import UnavailableError

if TYPE_CHECKING:
    from pydantic_ai.models import Model
    from pydantic_ai.settings import ModelSettings


class AgentModelNotConfiguredError(UnavailableError):
    """No model is configured for the agent; there is no default model."""

    code = "agent_model_not_configured"
    title = "No language model is configured"

    def __init__(self, agent: str) -> None:
        super().__init__(f"The agent {agent} has no model: set AGENTS__MODEL or AGENTS__MODELS__{agent.upper()}.")


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """A model with the request settings: timeout and retries."""

    model: Model
    settings: ModelSettings


class LanguageModels(Protocol):
    """The configured model of each agent."""

    def has(self, agent: str) -> bool: ...

    def read(self) -> None:
        """Imports the model code, in any thread; otherwise `named` does, which takes seconds."""
        ...

    def named(self, agent: str) -> LanguageModel:
        """Raises AgentModelNotConfiguredError."""
        ...
