from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, TypeAdapter, field_validator, model_validator

from partywall.settings.base import DAY, HOUR, MILLISECOND, MINUTE, SECOND, CommaSeparated, Section, split_lists
from partywall.settings.values import Key, WebAddress

PROVIDERS: Final = ("openai", "anthropic", "ollama")

_LONGEST_PROVIDER: Final = 63


def _model_name(value: str) -> str:
    provider, _, model = value.partition(":")
    is_name = provider.isidentifier() and provider.isascii() and provider == provider.lower() and provider[0] != "_"
    if not is_name or len(provider) > _LONGEST_PROVIDER or not model or not model.isprintable() or " " in model:
        raise ValueError("must be PROVIDER:MODEL, such as openai:gpt-5")
    return value


type ServerName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
type ModelName = Annotated[str, Field(max_length=300, description="`provider:model`"), AfterValidator(_model_name)]
type ModelProvider = Literal["openai", "anthropic", "ollama"]


class ModelServer(Section):
    """A named server with OpenAI's chat completions API, or the address to use for a known provider.

    Only its own key is sent to it.
    """

    url: WebAddress
    api_key: Key | None = None


class AgentSettings(Section):
    """`base_url` serves `openai:` and `ollama:` models; `keys`, by provider, take precedence over `api_key`."""

    model: ModelName | None = None
    models: dict[str, ModelName] = Field(default_factory=dict, description="By agent name.")
    fallbacks: CommaSeparated = ()
    base_url: WebAddress | None = None
    api_key: Key | None = None
    keys: dict[ModelProvider, Key] = Field(default_factory=dict)
    servers: dict[ServerName, ModelServer] = Field(default_factory=dict, description="By the prefix of model names.")
    modules: CommaSeparated = Field(default=(), description="Modules with an `agent`, besides the built-in ones.")
    concurrency: int = Field(default=12, ge=1, le=200, description="Runs at once in one worker.")
    concurrency_per_project: int = Field(default=4, ge=1, le=200)
    concurrency_per_account: int | None = Field(
        default=None, ge=1, le=2000, description="Over all projects it owns. Unset: a third of `concurrency`."
    )
    open_runs_per_project: int = Field(default=200, ge=1, le=1_000_000, description="Queued, running and waiting.")
    open_runs_per_account: int = Field(default=500, ge=1, le=1_000_000)
    max_attempts: int = Field(default=5, ge=1, le=1000, description="Starts of a run without progress.")
    retry_for: timedelta = Field(
        default=15 * MINUTE,
        ge=0 * SECOND,
        le=DAY,
        description="How long a run is retried while its model does not answer.",
    )
    model_timeout: timedelta = Field(default=2 * MINUTE, ge=SECOND, le=HOUR)
    model_retries: int = Field(default=2, ge=0, le=10)
    model_connections: int = Field(default=50, ge=1, le=10_000)
    token_interval: timedelta = Field(default=50 * MILLISECOND, ge=10 * MILLISECOND, le=MINUTE)

    @model_validator(mode="before")
    @classmethod
    def _split(cls, values: object) -> object:
        return split_lists(values, {"fallbacks", "modules"})

    @field_validator("fallbacks")
    @classmethod
    def _models(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(TypeAdapter[str](ModelName).validate_python(value) for value in values)

    @field_validator("modules")
    @classmethod
    def _importable(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        if not all(part.isidentifier() for value in values for part in value.split(".")):
            raise ValueError("must be names of Python modules, such as my_agents.billing, separated by commas")
        return values

    @property
    def slots_per_account(self) -> int:
        return self.concurrency_per_account or max(1, self.concurrency // 3)

    @property
    def named(self) -> Iterator[str]:
        """Every model that the settings name."""
        for _, name in self._named:
            yield name

    @property
    def _named(self) -> Iterator[tuple[str, str]]:
        """Pairs of variable and model name."""
        if self.model is not None:
            yield "AGENTS__MODEL", self.model
        for agent, name in self.models.items():
            yield f"AGENTS__MODELS__{agent.upper()}", name
        for name in self.fallbacks:
            yield "AGENTS__FALLBACKS", name

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        for variable, name in self._named:
            if (wrong := self._unreachable(name.partition(":")[0])) is not None:
                raise ValueError(f"{variable} {wrong}")
        return self

    def _unreachable(self, provider: str) -> str | None:
        if provider in self.servers:
            return None
        if provider not in PROVIDERS:
            server = f"AGENTS__SERVERS__{provider.upper()}__URL"
            return f"names {provider}, which is none of {', '.join(PROVIDERS)}, and no server: set {server}"
        known = provider in self.keys or self.api_key is not None
        if provider == "ollama" and self.base_url is None:
            return "needs the server's address: set AGENTS__BASE_URL or AGENTS__SERVERS__OLLAMA__URL"
        if not known and (provider == "anthropic" or (provider == "openai" and self.base_url is None)):
            return f"needs a key: set AGENTS__KEYS__{provider.upper()} or AGENTS__API_KEY"
        return None

    @model_validator(mode="after")
    def _one_key_for_one_deployment(self) -> Self:
        """One provider's key is never sent to another."""
        if self.api_key is not None:
            asked = {name.partition(":")[0] for name in self.named} - self.servers.keys() - self.keys.keys()
            if "anthropic" in asked and len(asked) > 1:
                raise ValueError("AGENTS__API_KEY would be sent to two providers: set AGENTS__KEYS__ANTHROPIC as well")
        return self
