"""OpenID Connect Discovery: what a provider publishes about itself."""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, ValidationError

from partywall.core.identity_providers import ProviderUnavailableError

WELL_KNOWN: Final = "/.well-known/openid-configuration"

type Url = Annotated[str, Field(min_length=1, max_length=2000, pattern=r"^[\x21-\x7e]*$")]
type Method = Annotated[str, Field(max_length=100)]


class Metadata(BaseModel):
    issuer: Url
    authorization_endpoint: Url
    token_endpoint: Url
    jwks_uri: Url
    userinfo_endpoint: Url | None = None
    token_endpoint_auth_methods_supported: list[Method] = Field(default=["client_secret_basic"], max_length=100)
    authorization_response_iss_parameter_supported: bool = False

    @property
    def secret_in_body(self) -> bool:
        methods = self.token_endpoint_auth_methods_supported
        return "client_secret_basic" not in methods and "client_secret_post" in methods


def read_metadata(body: bytes, url: str, *, plain_http: bool, any_issuer: bool) -> Metadata:
    """The metadata published at `url`. Raises ProviderUnavailableError.

    The issuer must be the one that publishes at `url`, so that no provider can pose as another. `any_issuer`: only its
    host must be the same.
    """
    try:
        found = Metadata.model_validate_json(body)
    except ValidationError as error:
        raise ProviderUnavailableError from error
    schemes = ("https", "http") if plain_http else ("https",)
    if not found.authorization_endpoint.startswith(tuple(f"{each}://" for each in schemes)):
        raise ProviderUnavailableError
    published_at = found.issuer.rstrip("/") + WELL_KNOWN
    same = urlsplit(found.issuer).netloc == urlsplit(url).netloc if any_issuer else published_at == url
    if not same:
        raise ProviderUnavailableError
    return found
