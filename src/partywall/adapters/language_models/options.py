from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from pydantic import SecretStr

# Explicit, because the library would read a missing address from the environment.
_KNOWN: Final = {"openai": "https://api.openai.com/v1", "anthropic": "https://api.anthropic.com"}


class ServerOptions(NamedTuple):
    """A server's base URL and the key for it."""

    url: str
    api_key: SecretStr | None = None


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """Names are `provider:model`. `base_url` is the address for `openai` and `ollama`; times are in seconds.

    `servers` override all other options of a provider; those with other names are OpenAI-compatible.
    """

    default: str | None
    by_agent: Mapping[str, str]
    fallbacks: Sequence[str]
    base_url: str | None
    api_key: SecretStr | None
    keys: Mapping[str, SecretStr]
    timeout: float
    retries: int
    connections: int
    servers: Mapping[str, ServerOptions] = field(default_factory=dict)

    def server(self, name: str) -> ServerOptions:
        """Raises KeyError for a name that is neither a provider nor a server."""
        if name in self.servers:
            return self.servers[name]
        given = self.base_url if name != "anthropic" else None
        return ServerOptions(given or _KNOWN[name], self.keys.get(name) or self.api_key)

    def model_of(self, agent: str) -> str | None:
        return self.by_agent.get(agent) or self.default
