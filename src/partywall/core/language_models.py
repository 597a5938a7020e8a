from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from partywall.core.errors import UnavailableError

if TYPE_CHECKING:
    from pydantic_ai.models import Model
    from pydantic_ai.settings import ModelSettings


class AgentModelNotConfiguredError(UnavailableError):
    """There is no pretend model: an agent without one cannot run."""

    code = "agent_model_not_configured"
    title = "No language model is configured"

    def __init__(self, agent: str) -> None:
        super().__init__(f"The agent {agent} has no model: set AGENTS__MODEL or AGENTS__MODELS__{agent.upper()}.")


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """`settings` hold for every request to it: timeout and retries."""

    model: Model
    settings: ModelSettings


class LanguageModels(Protocol):
    """Which model an agent speaks to, as the settings say."""

    def has(self, agent: str) -> bool: ...

    def read(self) -> None:
        """Reads the code of the models, in any thread: `named` does so otherwise, and it takes seconds."""
        ...

    def named(self, agent: str) -> LanguageModel:
        """Raises AgentModelNotConfiguredError."""
        ...
