from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote_plus

import httpx2
import structlog
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client, OAuth2ClientAuth
from pydantic import BaseModel, Field, SecretStr, ValidationError

from partywall.adapters.oidc.bounded_transport import BoundedTransport
from partywall.core.identity_providers import LoginRequest, ProviderRefusedError, ProviderUnavailableError
from partywall.core.log_masks import error_fields
from partywall.core.outgoing.cookies import no_cookies
from partywall.core.outgoing.destinations import RefusedDestinationError

log = structlog.get_logger(__name__)

ERRORS: Final = (ProviderUnavailableError,)
# What Authlib raises for an answer that is no JSON object, or has members of other types.
_MALFORMED: Final = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
_LONGEST_TOKEN: Final = 32 * 1024


class Tokens(BaseModel):
    access_token: str = Field(min_length=1, max_length=_LONGEST_TOKEN)
    id_token: str | None = Field(default=None, max_length=_LONGEST_TOKEN)


@dataclass(frozen=True, slots=True)
class ProviderClient:
    """All requests to one provider. `seconds` are for one of them."""

    name: str
    transport: BoundedTransport
    client_id: str
    client_secret: SecretStr | None = field(repr=False)
    seconds: float

    def authorization_url(self, endpoint: str, request: LoginRequest, scope: str) -> str:
        url, _ = self._client(request, scope).create_authorization_url(
            endpoint, state=request.state, code_verifier=request.code_verifier, nonce=request.nonce
        )
        return str(url)

    async def fetch_tokens(self, endpoint: str, request: LoginRequest, code: str, *, in_body: bool) -> Tokens:
        """Exchanges the code. Raises ProviderRefusedError or ProviderUnavailableError."""
        client = self._client(request, None)
        async with self._reported("tokens"):
            found: object = await client.fetch_token(
                endpoint,
                grant_type="authorization_code",
                code=code,
                code_verifier=request.code_verifier,
                redirect_uri=request.redirect_uri,
                auth=self._authentication(in_body=in_body),
            )
        try:
            return Tokens.model_validate(found)
        except ValidationError as error:
            raise ProviderRefusedError("the provider answered no tokens") from error

    async def get(self, url: str, headers: Mapping[str, str] | None = None) -> bytes:
        """The body of a 200. Raises ProviderUnavailableError."""
        client = httpx2.AsyncClient(
            transport=self.transport,
            trust_env=False,
            follow_redirects=False,
            cookies=no_cookies(),
            timeout=self.seconds,
        )
        async with self._reported("document"):
            answer = await client.get(url, headers={"Accept": "application/json", **(headers or {})})
            answer.raise_for_status()
        if answer.status_code != httpx2.codes.OK:
            raise ProviderUnavailableError
        return answer.content

    def _client(self, request: LoginRequest, scope: str | None) -> AsyncOAuth2Client:
        return AsyncOAuth2Client(
            self.client_id,
            scope=scope,
            redirect_uri=request.redirect_uri,
            code_challenge_method="S256",
            transport=self.transport,
            trust_env=False,
            follow_redirects=False,
            cookies=no_cookies(),
            timeout=self.seconds,
        )

    def _authentication(self, *, in_body: bool) -> httpx2.Auth:
        secret = None if self.client_secret is None else self.client_secret.get_secret_value()
        if secret is None or in_body:
            sent: httpx2.Auth = OAuth2ClientAuth(self.client_id, secret, "client_secret_post" if secret else "none")
            return sent
        # RFC 6749 demands that both are form-encoded before, which Authlib leaves out.
        return httpx2.BasicAuth(quote_plus(self.client_id), quote_plus(secret))

    @asynccontextmanager
    async def _reported(self, asked_for: str) -> AsyncIterator[None]:
        """Turns failures into the port's errors. The log names the provider, and no part of an answer."""
        try:
            async with asyncio.timeout(self.seconds):
                yield
        except OAuthError as error:
            log.warning("identity_provider_refused", provider=self.name, asked_for=asked_for)
            raise ProviderRefusedError("the provider refused the code") from error
        except (httpx2.HTTPError, httpx2.InvalidURL, RefusedDestinationError, OSError, *_MALFORMED) as error:
            log.warning("identity_provider_failed", provider=self.name, asked_for=asked_for, **error_fields(error))
            raise ProviderUnavailableError from error
