from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from pydantic_ai.exceptions import ModelAPIError
from pydantic_ai.models import Model
from pydantic_ai.settings import ModelSettings

from partywall.core.errors import UnavailableError


class AgentModelNotConfiguredError(UnavailableError):
    """There is no pretend model: an agent without one cannot run."""

    code = "agent_model_not_configured"
    title = "No language model is configured"

    def __init__(self, agent: str) -> None:
        super().__init__(f"The agent {agent} has no model: set AGENTS__MODEL or AGENTS__MODELS__{agent.upper()}.")


class ModelInvalidError(ModelAPIError):
    """A model's server answered with what is no answer; `why` is a clause about the answer. Asking again is no help."""

    def __init__(self, why: str) -> None:
        super().__init__("", why)
        self.why = why


class ModelBrokeOffError(ModelAPIError):
    """A model failed with `error` when it had begun to answer; `others` are to be asked instead, in a call of its own.

    Not within the call at hand, whose first words are told already.
    """

    def __init__(self, error: ModelAPIError, others: Model) -> None:
        super().__init__(error.model_name, error.message)
        self.error = error
        self.others = others


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """`settings` hold for every request to it: timeout and retries."""

    model: Model
    settings: ModelSettings


class LanguageModels(Protocol):
    """Which model an agent speaks to, as the settings say."""

    def has(self, agent: str) -> bool: ...

    def named(self, agent: str) -> LanguageModel:
        """Raises AgentModelNotConfiguredError."""
        ...
