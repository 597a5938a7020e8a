from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from partywall.core.schemas import Instant, RequestModel, ResponseModel, SortedQuery, Storable
from partywall.features.identities.constants import CHALLENGE, MAX_CODE, MAX_STATE, VERIFIER

type Parameter = Annotated[str, Field(max_length=2000)]


class Provider(ResponseModel):
    """An identity provider of this server. `title` is for buttons."""

    name: str
    title: str


class ProviderList(ResponseModel):
    items: list[Provider]


class LoginStart(BaseModel):
    """The query that begins a login."""

    model_config = ConfigDict(extra="ignore")

    return_to: Annotated[str, Field(max_length=2000)] = Field(description="One of the addresses in the settings.")
    code_challenge: Annotated[str, Field(pattern=CHALLENGE)] = Field(
        description="BASE64URL(SHA256(code_verifier)), RFC 7636; the client keeps the verifier."
    )
    state: Annotated[Storable, Field(max_length=MAX_STATE)] | None = Field(
        default=None, description="Returned unchanged to the client."
    )


class LoginAnswer(BaseModel):
    """The query of the provider's answer, RFC 6749 and RFC 9207. Providers add parameters of their own."""

    model_config = ConfigDict(extra="ignore")

    state: Parameter | None = Field(default=None, description="What the login sent.")
    code: Annotated[str, Field(max_length=4096)] | None = Field(
        default=None, description="What this server exchanges for the person's identity."
    )
    iss: Parameter | None = Field(default=None, description="Who answers.")
    error: Parameter | None = Field(default=None, description="Why there is no code.")


class Redemption(RequestModel):
    """The code that a login has returned, and the verifier of the challenge that it began with."""

    code: str = Field(min_length=1, max_length=MAX_CODE)
    code_verifier: str = Field(pattern=VERIFIER)


class Identity(ResponseModel):
    """The caller's identity at a provider. `address` is the last one that the provider has verified."""

    id: UUID
    provider: str
    issuer: str
    subject: str
    address: str | None
    created_at: Instant
    last_used_at: Instant


class IdentityQuery(SortedQuery):
    sort: Literal["-created_at", "created_at"] = "-created_at"
