from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from pydantic_ai.exceptions import ModelAPIError
from pydantic_ai.models import Model
from pydantic_ai.settings import ModelSettings

from partywall.core.errors import UnavailableError
from partywall.core.masking import mask

_KEY_BEGINS: Final = "sk-"
_SHORTEST_KEY: Final = 10


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


def _without_key(word: str) -> str:
    """Keys of most providers begin alike."""
    before, found, after = word.partition(_KEY_BEGINS)
    return f"{before}***" if found and len(after) >= _SHORTEST_KEY else word


def cleaned_words(said: str, most: int) -> str:
    """What a server said, in one line without control characters and keys, cut to so many characters."""
    printable = "".join(each if each.isprintable() else " " for each in said[: 4 * most])
    text = " ".join(map(_without_key, mask(printable).split()))
    return text if len(text) <= most else f"{text[: most - 1]}…"


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
