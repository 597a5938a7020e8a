"""What an ID token must say (OpenID Connect Core, 3.1.3.7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final
from uuid import UUID

from authlib.oidc.core import CodeIDToken
from joserfc.errors import JoseError
from joserfc.jwt import Token
from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from partywall.core.identity_providers import ProviderRefusedError

_CLOCK_SKEW: Final = 60
_LONGEST_CLAIM: Final = 1000
TENANT: Final = "{tenantid}"
"""Stands for the tenant's id in the issuer that Microsoft publishes for all of its tenants."""


def _flag(value: object) -> bool:
    """Some providers write `"true"`, and Microsoft 1."""
    return value in (True, "true", "1")


def _short_text(value: object) -> str | None:
    return value if isinstance(value, str) and len(value) <= _LONGEST_CLAIM else None


type Flag = Annotated[bool, BeforeValidator(_flag)]
type ShortText = Annotated[str | None, BeforeValidator(_short_text)]


class Profile(BaseModel):
    """The claims about a person, in an ID token or from the userinfo endpoint."""

    sub: Annotated[str, Field(max_length=255, pattern=r"^[\x20-\x7e]+$")]
    email: ShortText = None
    email_verified: Flag = False
    # Of Microsoft: whether the tenant has verified the domain of the address.
    xms_edov: Flag = False
    name: ShortText = None

    @property
    def verified_address(self) -> str | None:
        return self.email if self.email_verified or self.xms_edov else None


@dataclass(frozen=True, slots=True)
class Expected:
    issuer: str
    client_id: str
    nonce: str
    access_token: str


def check_claims(token: Token, expected: Expected) -> str:
    """The issuer, which differs from the expected one only in the tenant. Raises ProviderRefusedError."""
    issuer = _issuer_of(token, expected.issuer)
    claims = CodeIDToken(
        token.claims,
        token.header,
        options={
            "iss": {"essential": True, "value": issuer},
            "aud": {"essential": True, "value": expected.client_id},
            "nonce": {"essential": True, "value": expected.nonce},
        },
        params={"nonce": expected.nonce, "client_id": expected.client_id, "access_token": expected.access_token},
    )
    try:
        claims.validate(leeway=_CLOCK_SKEW)
    except (JoseError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise ProviderRefusedError("a claim of the ID token is not as expected") from error
    if token.claims["aud"] not in (expected.client_id, [expected.client_id]):
        raise ProviderRefusedError("the ID token is for other audiences, too")
    return issuer


def read_profile(claims: object) -> Profile:
    try:
        return Profile.model_validate(claims, strict=True)
    except ValidationError as error:
        raise ProviderRefusedError("the claims about the person are malformed") from error


def _issuer_of(token: Token, published: str) -> str:
    if TENANT not in published:
        return published
    try:
        return published.replace(TENANT, str(UUID(token.claims["tid"])))
    except (LookupError, ValueError, TypeError, AttributeError) as error:
        raise ProviderRefusedError("the ID token names no tenant") from error
