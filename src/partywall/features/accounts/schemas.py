from __future__ import annotations

from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)
from pydantic_core import PydanticCustomError

from partywall.core.schemas import Instant, Name, RequestModel, ResponseModel, SortedQuery
from partywall.core.security.common_passwords import is_common
from partywall.features.accounts.constants import MAX_MAILED_TOKEN, MAX_PASSWORD, MIN_PASSWORD
from partywall.features.accounts.email_address import MAX_LENGTH, normalised
from partywall.features.accounts.password_policy import COMMON, LIKE_ADDRESS, is_like


def _address(text: str) -> str:
    try:
        return normalised(text)
    except ValueError as error:
        raise PydanticCustomError("email_address", "Not a valid e-mail address") from error


EmailAddress = Annotated[
    str,
    AfterValidator(_address),
    WithJsonSchema({"type": "string", "format": "email", "maxLength": MAX_LENGTH}),
]


def _uncommon(password: str) -> str:
    if is_common(password):
        raise PydanticCustomError("easily_guessed", COMMON)
    return password


NewPassword = Annotated[
    str, StringConstraints(min_length=MIN_PASSWORD, max_length=MAX_PASSWORD), AfterValidator(_uncommon)
]
_ACCEPTED: Final = (
    "Any characters except U+0000: its length makes it strong. Refused are the address, what stands before its `@`,"
    " and passwords that are often used."
)


class Registration(RequestModel):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"email": "ada@example.com", "password": "a sentence is a good one", "full_name": "Ada"}]
        }
    )

    email: EmailAddress
    password: NewPassword = Field(description=_ACCEPTED)
    full_name: Name | None = None

    @field_validator("password")
    @classmethod
    def _not_the_address(cls, password: str, values: ValidationInfo) -> str:
        if is_like(password, values.data.get("email", "")):
            raise PydanticCustomError("easily_guessed", LIKE_ADDRESS)
        return password


class Accepted(ResponseModel):
    status: Literal["accepted"]


class EmailVerification(RequestModel):
    token: str = Field(max_length=MAX_MAILED_TOKEN, description="From the confirmation mail")


class ConfirmationRequest(RequestModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"email": "ada@example.com"}]})

    email: EmailAddress


class ResetRequest(RequestModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"email": "ada@example.com"}]})

    email: EmailAddress


class PasswordReset(RequestModel):
    token: str = Field(max_length=MAX_MAILED_TOKEN, description="From the mail")
    new_password: NewPassword = Field(description=_ACCEPTED)


class PasswordChange(RequestModel):
    current_password: str = Field(max_length=MAX_PASSWORD)
    new_password: NewPassword = Field(description=_ACCEPTED)


class Unlocking(RequestModel):
    token: str = Field(max_length=MAX_MAILED_TOKEN, description="From the mail about the lock")


class TokenForm(BaseModel):
    """RFC 6749: a parameter without a value counts as absent, and unknown parameters are ignored."""

    model_config = ConfigDict(extra="ignore")

    grant_type: str | None = Field(default=None, description="`password` or `refresh_token`")
    username: str | None = Field(default=None, description="The e-mail address, with `grant_type=password`")
    password: str | None = Field(default=None, json_schema_extra={"format": "password"})
    refresh_token: str | None = Field(default=None, description="With `grant_type=refresh_token`")


class TokenAnswer(ResponseModel):
    access_token: str
    token_type: Literal["bearer"]
    expires_in: int = Field(description="Seconds")
    refresh_token: str = Field(description="Replaces the one that was sent")


class RevocationForm(BaseModel):
    """RFC 7009; no token type hint is needed."""

    model_config = ConfigDict(extra="ignore")

    token: str | None = Field(default=None, description="A refresh token or an access token")


class Revoked(ResponseModel):
    status: Literal["revoked"]


class Session(ResponseModel):
    """A login and its family of refresh tokens."""

    id: UUID
    user_agent: str | None
    current: bool = Field(description="Whether this request's token belongs to the session")
    created_at: Instant
    last_used_at: Instant
    expires_at: Instant


class SessionQuery(SortedQuery):
    sort: Literal["-created_at", "created_at"] = "-created_at"


class User(ResponseModel):
    id: UUID
    email: str
    email_verified: bool
    full_name: str | None
    created_at: Instant


class UserPatch(RequestModel):
    """A JSON merge patch: absent members stay unchanged."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"full_name": "Ada Lovelace"}]})

    full_name: Name | None = None


class Jwk(ResponseModel):
    """The public half of a signing key."""

    kty: str
    crv: str
    x: str
    y: str
    kid: str
    use: str
    alg: str


class JwkSet(ResponseModel):
    keys: list[Jwk]
