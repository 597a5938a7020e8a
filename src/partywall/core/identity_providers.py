"""Port for login at other parties' identity providers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from partywall.core.errors import UnavailableError


class ProviderUnavailableError(UnavailableError):
    """The provider cannot be reached, or fails. The message has no part of its answer."""

    code = "provider_unavailable"
    title = "The identity provider does not answer"


class ProviderRefusedError(Exception):
    """The provider refused the code, or what it answered does not prove an identity. For the log."""


@dataclass(frozen=True, slots=True)
class LoginRequest:
    """What an authorisation request sends, and what its answer is checked against."""

    redirect_uri: str
    state: str
    nonce: str
    code_verifier: str


@dataclass(frozen=True, slots=True)
class ExternalIdentity:
    """Who the provider says has logged in. `address` is None unless the provider has verified it."""

    issuer: str
    subject: str
    address: str | None
    name: str | None


class IdentityProvider(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def title(self) -> str: ...

    async def authorization_url(self, request: LoginRequest) -> str:
        """Where to send the browser. Raises ProviderUnavailableError."""
        ...

    async def check_issuer(self, issuer: str | None) -> None:
        """Checks the parameter `iss` of an authorisation response (RFC 9207).

        Raises ProviderRefusedError or ProviderUnavailableError.
        """
        ...

    async def identify(self, request: LoginRequest, code: str) -> ExternalIdentity:
        """Exchanges the code. Raises ProviderRefusedError or ProviderUnavailableError."""
        ...


class IdentityProviders(Protocol):
    """The providers in the settings, in their order."""

    @property
    def names(self) -> Sequence[str]: ...

    def titles(self) -> Sequence[tuple[str, str]]:
        """Names and titles."""
        ...

    def find(self, name: str) -> IdentityProvider | None: ...


class NoIdentityProviders:
    """For a deployment without any."""

    names: Sequence[str] = ()

    def titles(self) -> Sequence[tuple[str, str]]:
        return ()

    def find(self, name: str) -> IdentityProvider | None:  # noqa: ARG002 - of the port
        return None
