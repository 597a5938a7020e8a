"""GitHub has OAuth 2 without ID tokens: who has logged in is asked of its API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import BaseModel, Field, StrictBool, StrictInt, TypeAdapter, ValidationError

from partywall.adapters.oidc.provider_client import ProviderClient
from partywall.core.identity_providers import ExternalIdentity, LoginRequest, ProviderRefusedError

SERVER: Final = "https://github.com"
API: Final = "https://api.github.com"
_SCOPE: Final = "read:user user:email"
_OAUTH: Final = "/login/oauth"


class _User(BaseModel):
    id: Annotated[StrictInt, Field(gt=0)]
    name: str | None = Field(default=None, max_length=1000)


class _Address(BaseModel):
    email: Annotated[str, Field(max_length=320)]
    primary: StrictBool
    verified: StrictBool


_USER: Final = TypeAdapter[_User](_User)
_ADDRESSES: Final = TypeAdapter[list[_Address]](list[_Address])


@dataclass(frozen=True, slots=True)
class GitHubProvider:
    """`server` and `api` are GitHub's own, or those of a GitHub Enterprise Server."""

    name: str
    title: str
    client: ProviderClient
    server: str = SERVER
    api: str = API

    @classmethod
    def on_server(cls, name: str, title: str, client: ProviderClient, server: str) -> GitHubProvider:
        base = server.rstrip("/")
        return cls(name, title, client, base, f"{base}/api/v3")

    async def authorization_url(self, request: LoginRequest) -> str:
        return self.client.authorization_url(f"{self._issuer}/authorize", request, _SCOPE)

    async def check_issuer(self, issuer: str | None) -> None:
        if issuer not in (None, self._issuer):
            raise ProviderRefusedError("the answer is from another issuer")

    async def identify(self, request: LoginRequest, code: str) -> ExternalIdentity:
        tokens = await self.client.fetch_tokens(f"{self._issuer}/access_token", request, code, in_body=True)
        user = await self._asked("/user", tokens.access_token, _USER)
        addresses = await self._asked("/user/emails", tokens.access_token, _ADDRESSES)
        address = next((each.email for each in addresses if each.primary and each.verified), None)
        return ExternalIdentity(self._issuer, str(user.id), address, user.name)

    async def _asked[T](self, path: str, access_token: str, kind: TypeAdapter[T]) -> T:
        headers = {"Authorization": f"Bearer {access_token}", "User-Agent": "Partywall"}
        body = await self.client.get(self.api + path, headers)
        try:
            return kind.validate_json(body)
        except ValidationError as error:
            raise ProviderRefusedError("the API's answer has no known form") from error

    @property
    def _issuer(self) -> str:
        """The parameter `iss` of its answers."""
        return self.server + _OAUTH
