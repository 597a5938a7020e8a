from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import httpx2
from pydantic import SecretStr

from partywall.adapters.oidc.bounded_transport import BoundedTransport
from partywall.adapters.oidc.github_provider import GitHubProvider
from partywall.adapters.oidc.oidc_provider import OidcOptions, OidcProvider
from partywall.adapters.oidc.provider_client import ProviderClient
from partywall.core.identity_providers import IdentityProvider


@dataclass(frozen=True, slots=True)
class GitHubOptions:
    """`server` is a GitHub Enterprise Server; None stands for github.com."""

    name: str
    title: str
    server: str | None = None


@dataclass(frozen=True, slots=True)
class ProviderOptions:
    kind: OidcOptions | GitHubOptions
    client_id: str
    client_secret: SecretStr | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class ConfiguredProviders:
    """The providers in the settings, in their order."""

    by_name: dict[str, IdentityProvider]

    @classmethod
    def of(
        cls, options: Iterable[ProviderOptions], transport: httpx2.AsyncBaseTransport, seconds: float
    ) -> ConfiguredProviders:
        bounded = BoundedTransport(transport)
        made = (_provider(each, bounded, seconds) for each in options)
        return cls({each.name: each for each in made})

    @property
    def names(self) -> Sequence[str]:
        return list(self.by_name)

    def titles(self) -> Sequence[tuple[str, str]]:
        return [(each.name, each.title) for each in self.by_name.values()]

    def find(self, name: str) -> IdentityProvider | None:
        return self.by_name.get(name)


def _provider(options: ProviderOptions, transport: BoundedTransport, seconds: float) -> IdentityProvider:
    kind = options.kind
    client = ProviderClient(kind.name, transport, options.client_id, options.client_secret, seconds)
    if isinstance(kind, OidcOptions):
        return OidcProvider(kind, client)
    if kind.server is None:
        return GitHubProvider(kind.name, kind.title, client)
    return GitHubProvider.on_server(kind.name, kind.title, client, kind.server)
