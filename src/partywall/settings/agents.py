from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, HttpUrl, SecretStr, TypeAdapter, field_validator, model_validator

from partywall.settings.base import CommaSeparated, Section, split_lists

type ModelName = Annotated[str, Field(pattern=r"^(?:openai|anthropic|ollama):\S+$")]
type ModelProvider = Literal["openai", "anthropic", "ollama"]


class AgentSettings(Section):
    """`base_url` is where `openai:` and `ollama:` models are asked; `keys` go before `api_key`, by provider."""

    model: ModelName | None = None
    models: dict[str, ModelName] = Field(default_factory=dict, description="By the name of the agent.")
    fallbacks: CommaSeparated = ()
    base_url: HttpUrl | None = None
    api_key: SecretStr | None = None
    keys: dict[ModelProvider, SecretStr] = Field(default_factory=dict)
    modules: CommaSeparated = Field(default=(), description="Modules that hold an `agent` beside those shipped.")
    concurrency: int = Field(default=8, ge=1, le=200, description="Runs at once in one worker.")
    concurrency_per_project: int = Field(default=4, ge=1, le=200)
    max_attempts: int = Field(default=5, ge=1, description="Beginnings of a run without progress.")
    model_timeout: timedelta = Field(default=timedelta(minutes=2), gt=timedelta(0))
    model_retries: int = Field(default=2, ge=0, le=10)
    model_connections: int = Field(default=50, ge=1)
    token_interval: timedelta = timedelta(milliseconds=50)

    @model_validator(mode="before")
    @classmethod
    def _split(cls, values: object) -> object:
        return split_lists(values, {"fallbacks", "modules"})

    @field_validator("fallbacks")
    @classmethod
    def _models(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(TypeAdapter[str](ModelName).validate_python(value) for value in values)

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        for name in (*filter(None, [self.model]), *self.models.values(), *self.fallbacks):
            provider = name.partition(":")[0]
            known = provider in self.keys or self.api_key is not None
            if provider == "ollama" and self.base_url is None:
                raise ValueError(f"{name} needs the server's address: set AGENTS__BASE_URL")
            if not known and (provider == "anthropic" or (provider == "openai" and self.base_url is None)):
                raise ValueError(f"{name} needs a key: set AGENTS__KEYS__{provider.upper()} or AGENTS__API_KEY")
        return self
