from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from pydantic import SecretStr

# Given, because a missing address would be looked for in the environment.
_KNOWN: Final = {"openai": "https://api.openai.com/v1", "anthropic": "https://api.anthropic.com"}


class ServerOptions(NamedTuple):
    """Where a server is, and the one key that it is shown."""

    url: str
    api_key: SecretStr | None = None


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """Names are `provider:model`. `base_url` is where `openai` and `ollama` are asked; times are in seconds.

    `servers` go before all that is said of a provider otherwise; one under another name is OpenAI-compatible.
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
        """Raises KeyError for a name that is neither a provider's nor a server's."""
        if name in self.servers:
            return self.servers[name]
        given = self.base_url if name != "anthropic" else None
        return ServerOptions(given or _KNOWN[name], self.keys.get(name) or self.api_key)

    def model_of(self, agent: str) -> str | None:
        return self.by_agent.get(agent) or self.default
