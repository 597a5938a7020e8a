from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_network
from typing import Annotated, Final, Literal, Self

from pydantic import Field, field_validator, model_validator

from partywall.settings.base import HOUR, MINUTE, SECOND, CommaSeparated, Section, split_lists
from partywall.settings.values import Secret, Text, WebAddress, require_web_host

type ProviderName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
type Preset = Literal["oidc", "google", "microsoft", "github"]

PRESETS: Final = ("google", "microsoft", "github")
_GOOGLE: Final = "https://accounts.google.com/.well-known/openid-configuration"
_MICROSOFT: Final = "https://login.microsoftonline.com/{tenant}/v2.0/.well-known/openid-configuration"


class ProviderSettings(Section):
    """One identity provider. Its name is part of its callback address."""

    preset: Preset | None = Field(default=None, description="Unset: the provider's name, or oidc.")
    client_id: Text
    client_secret: Secret | None = None
    title: Text | None = Field(default=None, description="For buttons; unset: the name.")
    discovery_url: WebAddress | None = Field(default=None, description="For oidc.")
    tenant: Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]{1,100}$")] = Field(
        default="common", description="For microsoft: the tenant's id or domain."
    )
    server: WebAddress | None = Field(default=None, description="For github: a GitHub Enterprise Server.")
    trusts_addresses: bool = Field(
        default=False, description="Its addresses count as verified even if it does not say so."
    )


class IdentitySettings(Section):
    """Login at identity providers. `allow_http` and `allowed_networks` are for providers that are not public."""

    providers: dict[ProviderName, ProviderSettings] = Field(default_factory=dict, description="By name.")
    return_addresses: CommaSeparated = Field(default=(), description="Pages that a login may return to, exactly.")
    login_ttl: timedelta = Field(default=10 * MINUTE, ge=SECOND, le=HOUR)
    code_ttl: timedelta = Field(default=MINUTE, ge=SECOND, le=10 * MINUTE)
    timeout: timedelta = Field(default=10 * SECOND, ge=SECOND, le=MINUTE, description="Of one answer of a provider.")
    allow_http: bool = False
    allowed_networks: CommaSeparated = ()

    @model_validator(mode="before")
    @classmethod
    def _split(cls, values: object) -> object:
        return split_lists(values, {"return_addresses", "allowed_networks"})

    @field_validator("allowed_networks")
    @classmethod
    def _networks(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        for value in values:
            ip_network(value, strict=False)
        return values

    @field_validator("return_addresses")
    @classmethod
    def _pages(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        for value in values:
            scheme, separator, _ = value.partition("://")
            web = scheme in ("https", "http")
            if not separator or not scheme.replace("+", "").replace(".", "").replace("-", "").isalnum():
                raise ValueError("must be addresses such as https://app.example.com/signed-in, separated by commas")
            if not value.isascii() or not value.isprintable() or " " in value or "#" in value:
                raise ValueError("must be ASCII addresses without blanks or #")
            if web:
                require_web_host(value)
        return values

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if "supabase" in self.providers:
            raise ValueError("a provider may not have the name supabase, which stands for tokens of Supabase")
        for name, provider in self.providers.items():
            variable = f"IDENTITIES__PROVIDERS__{name.upper()}"
            if preset_of(name, provider) == "oidc" and provider.discovery_url is None:
                raise ValueError(f"{variable} needs the provider's metadata: set {variable}__DISCOVERY_URL")
            if preset_of(name, provider) == "github" and provider.client_secret is None:
                raise ValueError(f"{variable} needs its secret: set {variable}__CLIENT_SECRET")
        if self.providers and not self.return_addresses:
            raise ValueError("providers need pages to return to: set IDENTITIES__RETURN_ADDRESSES")
        return self


def preset_of(name: str, provider: ProviderSettings) -> Preset:
    if provider.preset is not None:
        return provider.preset
    return next((preset for preset in PRESETS if preset == name), "oidc")


def discovery_url_of(preset: Preset, provider: ProviderSettings) -> str:
    match preset:
        case "google":
            return _GOOGLE
        case "microsoft":
            return _MICROSOFT.format(tenant=provider.tenant)
        case _:
            return str(provider.discovery_url)
