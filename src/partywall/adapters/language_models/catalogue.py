from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, cast

import httpx2
from pydantic_ai.models import Model, create_async_httpx2_client, infer_model
from pydantic_ai.providers import Provider, infer_provider_class
from pydantic_ai.settings import ModelSettings

from partywall.adapters.language_models.chain import ChatModel, chained
from partywall.adapters.language_models.options import ModelOptions, ServerOptions
from partywall.adapters.language_models.transport import ModelTransport
from partywall.core.language_models import AgentModelNotConfiguredError, LanguageModel
from partywall.core.outgoing.circuits import Circuits
from partywall.core.outgoing.cookies import no_cookies
from partywall.core.outgoing.endpoints import KEPT_ALIVE
from partywall.core.outgoing.retries import Retries

CONNECT_SECONDS: Final = 5.0
# The pause before a retry within a request holds the run's slot. For longer ones, the run is retried later.
LONGEST_PAUSE: Final = 2.0
NO_KEY: Final = "none"  # sent to servers of one's own, which need no key

# All other servers are used through OpenAI's chat completions.
_KINDS: Final = {"ollama": "ollama", "anthropic": "anthropic"}
_COMPATIBLE: Final = "openai-chat"


def create_model_client(options: ModelOptions, tls: ssl.SSLContext | None = None) -> httpx2.AsyncClient:
    """The HTTP client for all models: with connection limits and timeouts, without the environment's proxies."""
    limits = httpx2.Limits(max_connections=options.connections, max_keepalive_connections=KEPT_ALIVE)
    timeout = httpx2.Timeout(options.timeout, connect=CONNECT_SECONDS)
    inner = httpx2.AsyncHTTPTransport(verify=tls or True, limits=limits, trust_env=False)
    transport = ModelTransport(inner, Retries(options.retries, longest=LONGEST_PAUSE), Circuits(), options.timeout)
    client = create_async_httpx2_client(timeout=timeout, transport=transport)
    client.cookies = no_cookies()
    return client


@dataclass(frozen=True, slots=True)
class ConfiguredModels:
    """Models by the names in the settings; the providers' own environment variables are ignored."""

    options: ModelOptions
    client: httpx2.AsyncClient
    _made: dict[str, LanguageModel] = field(default_factory=dict)

    def has(self, agent: str) -> bool:
        return self.options.model_of(agent) is not None

    def named(self, agent: str) -> LanguageModel:
        name = self.options.model_of(agent)
        if name is None:
            raise AgentModelNotConfiguredError(agent)
        return self._of(name)

    def read(self) -> None:
        """Creates all models that the settings name. The run that needs one that fails raises the error again."""
        for name in {self.options.default, *self.options.by_agent.values()}:
            with suppress(Exception):
                self._of(name or "")

    def _of(self, name: str) -> LanguageModel:
        if name not in self._made:
            self._made[name] = LanguageModel(self._chain(name), self._request_settings())
        return self._made[name]

    def _chain(self, name: str) -> Model:
        others = [other for other in self.options.fallbacks if other != name]
        return chained([self._model(each) for each in (name, *others)])

    def _model(self, name: str) -> Model:
        provider, _, model = name.partition(":")
        server = self.options.server(provider)
        kind = _KINDS.get(provider, _COMPATIBLE)
        found = infer_model(f"{kind}:{model}", lambda kind: self._provider(kind, server))
        return found if kind == "anthropic" else ChatModel(found)

    def _provider(self, kind: str, server: ServerOptions) -> Provider[object]:
        """The library imports a provider's SDK only when its class is asked for."""
        make = cast("Callable[..., Provider[object]]", infer_provider_class(kind))
        key = server.api_key.get_secret_value() if server.api_key else NO_KEY
        return make(api_key=key, base_url=server.url, http_client=self.client)

    def _request_settings(self) -> ModelSettings:
        """No SDK retries: the transport retries, and fails fast while a circuit is open."""
        return ModelSettings(timeout=self.options.timeout, max_retries=0)
