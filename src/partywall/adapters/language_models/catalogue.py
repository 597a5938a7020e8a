from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

import httpx2
from pydantic import SecretStr
from pydantic_ai.models import Model, create_async_httpx2_client, infer_model
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.providers import Provider, infer_provider_class
from pydantic_ai.settings import ModelSettings

from partywall.adapters.language_models.transport import GuardedTransport
from partywall.core.language_models import AgentModelNotConfiguredError, LanguageModel

CONNECT_SECONDS: Final = 5.0
NO_KEY: Final = "none"  # what servers of one's own are told, which ask for no key

# Chat completions, which every compatible server speaks.
_KINDS: Final = {"openai": "openai-chat", "ollama": "ollama", "anthropic": "anthropic"}


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """Names are `provider:model`. `base_url` is where `openai` and `ollama` are asked; times are in seconds."""

    default: str | None
    by_agent: Mapping[str, str]
    fallbacks: Sequence[str]
    base_url: str | None
    api_key: SecretStr | None
    keys: Mapping[str, SecretStr]
    timeout: float
    retries: int
    connections: int


def create_model_client(options: ModelOptions) -> httpx2.AsyncClient:
    """The one HTTP client for models: capped, with timeouts, deaf to the environment's proxies and keys."""
    limits = httpx2.Limits(max_connections=options.connections, max_keepalive_connections=10)
    timeout = httpx2.Timeout(options.timeout, connect=CONNECT_SECONDS)
    transport = GuardedTransport(httpx2.AsyncHTTPTransport(limits=limits, trust_env=False))
    return create_async_httpx2_client(timeout=timeout, transport=transport)


@dataclass(frozen=True, slots=True)
class ConfiguredModels:
    """Models by the names in the settings; nothing is read from variables of the providers' own."""

    options: ModelOptions
    client: httpx2.AsyncClient
    _made: dict[str, LanguageModel] = field(default_factory=dict)

    def has(self, agent: str) -> bool:
        return self._name(agent) is not None

    def named(self, agent: str) -> LanguageModel:
        name = self._name(agent)
        if name is None:
            raise AgentModelNotConfiguredError(agent)
        if name not in self._made:
            self._made[name] = LanguageModel(self._chain(name), self._request_settings())
        return self._made[name]

    def _name(self, agent: str) -> str | None:
        return self.options.by_agent.get(agent) or self.options.default

    def _chain(self, name: str) -> Model:
        others = [other for other in self.options.fallbacks if other != name]
        first = self._model(name)
        return FallbackModel(first, *(self._model(other) for other in others)) if others else first

    def _model(self, name: str) -> Model:
        provider, _, model = name.partition(":")
        return infer_model(f"{_KINDS[provider]}:{model}", self._provider)

    def _provider(self, kind: str) -> Provider[object]:
        """The library imports a provider's SDK only when its class is asked for."""
        name = "openai" if kind == "openai-chat" else kind
        make = cast("Callable[..., Provider[object]]", infer_provider_class(name))
        given = self.options.keys.get(name) or self.options.api_key
        address = self.options.base_url if name != "anthropic" else None
        # A given address, because a missing one would be looked for in the environment.
        known = {"openai": "https://api.openai.com/v1", "anthropic": "https://api.anthropic.com"}
        return make(
            api_key=given.get_secret_value() if given else NO_KEY,
            base_url=address or known.get(name),
            http_client=self.client,
        )

    def _request_settings(self) -> ModelSettings:
        return ModelSettings(timeout=self.options.timeout, max_retries=self.options.retries)
