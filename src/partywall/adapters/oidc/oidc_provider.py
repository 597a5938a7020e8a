from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import orjson
from joserfc.jwt import Token

from partywall.adapters.oidc.id_token import TENANT, Expected, Profile, check_claims, read_profile
from partywall.adapters.oidc.metadata import Metadata, read_metadata
from partywall.adapters.oidc.provider_client import ERRORS, ProviderClient, Tokens
from partywall.core.fetched_value import FetchedValue
from partywall.core.identity_providers import (
    ExternalIdentity,
    LoginRequest,
    ProviderRefusedError,
    ProviderUnavailableError,
)
from partywall.core.security.remote_keys import RemoteKeys, UnreadableKeysError, UnverifiedTokenError

SCOPE: Final = "openid email profile"


@dataclass(frozen=True, slots=True)
class OidcOptions:
    name: str
    title: str
    discovery_url: str
    trusts_addresses: bool = False
    plain_http: bool = False
    many_tenants: bool = False
    """The published issuer stands for many, one for each tenant."""


class OidcProvider:
    """A provider with OpenID Connect Discovery. Fetches nothing before it is used."""

    def __init__(self, options: OidcOptions, client: ProviderClient) -> None:
        self._options = options
        self._client = client
        self._metadata = FetchedValue[Metadata](self._fetch_metadata, ERRORS)
        self._keys = RemoteKeys(self._fetch_keys, ERRORS)

    @property
    def name(self) -> str:
        return self._options.name

    @property
    def title(self) -> str:
        return self._options.title

    async def authorization_url(self, request: LoginRequest) -> str:
        metadata = await self._metadata.get()
        return self._client.authorization_url(metadata.authorization_endpoint, request, SCOPE)

    async def check_issuer(self, issuer: str | None) -> None:
        metadata = await self._metadata.get()
        if issuer is None and not metadata.authorization_response_iss_parameter_supported:
            return
        before, _, after = metadata.issuer.partition(TENANT if self._options.many_tenants else metadata.issuer)
        named = issuer or ""
        if named != metadata.issuer and not (before and named.startswith(before) and named.endswith(after)):
            raise ProviderRefusedError("the answer is from another issuer, or does not name it")

    async def identify(self, request: LoginRequest, code: str) -> ExternalIdentity:
        metadata = await self._metadata.get()
        in_body = metadata.secret_in_body
        tokens = await self._client.fetch_tokens(metadata.token_endpoint, request, code, in_body=in_body)
        token = await self._verified(tokens)
        expected = Expected(metadata.issuer, self._client.client_id, request.nonce, tokens.access_token)
        issuer = check_claims(token, expected)
        profile = await self._completed(read_profile(token.claims), metadata, tokens)
        address = profile.email if self._options.trusts_addresses else profile.verified_address
        return ExternalIdentity(issuer, profile.sub, address, profile.name)

    async def _verified(self, tokens: Tokens) -> Token:
        if tokens.id_token is None:
            raise ProviderRefusedError("the provider answered no ID token")
        try:
            return await self._keys.verify(tokens.id_token)
        except UnverifiedTokenError as error:
            raise ProviderRefusedError(str(error)) from error
        except UnreadableKeysError as error:
            raise ProviderUnavailableError from error

    async def _completed(self, profile: Profile, metadata: Metadata, tokens: Tokens) -> Profile:
        """Many providers leave the address out of the ID token."""
        if profile.email is not None or metadata.userinfo_endpoint is None:
            return profile
        headers = {"Authorization": f"Bearer {tokens.access_token}"}
        body = await self._client.get(metadata.userinfo_endpoint, headers)
        try:
            found = read_profile(orjson.loads(body))
        except ValueError as error:  # a signed answer, which nobody has asked for
            raise ProviderRefusedError("the claims about the person are not JSON") from error
        if found.sub != profile.sub:
            raise ProviderRefusedError("the claims are about another person")
        return found

    async def _fetch_metadata(self) -> Metadata:
        options = self._options
        body = await self._client.get(options.discovery_url)
        return read_metadata(
            body, options.discovery_url, plain_http=options.plain_http, any_issuer=options.many_tenants
        )

    async def _fetch_keys(self) -> bytes:
        return await self._client.get((await self._metadata.get()).jwks_uri)
