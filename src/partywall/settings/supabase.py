from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_network
from typing import Final, Self

from pydantic import Field, field_validator, model_validator

from partywall.settings.base import MINUTE, SECOND, CommaSeparated, Section, split_lists
from partywall.settings.values import Secret, WebAddress

_SHORTEST_SECRET: Final = 32


class SupabaseSettings(Section):
    """A Supabase project whose users' access tokens are accepted."""

    url: WebAddress | None = Field(default=None, description="Of the project; unset: no token of Supabase is accepted.")
    jwt_secret: Secret | None = Field(default=None, description="The legacy secret, for tokens signed with HS256.")
    confirms_addresses: bool = Field(
        default=False,
        description="Whether Supabase's own setting Confirm email is on, so that addresses are confirmed.",
    )
    timeout: timedelta = Field(default=5 * SECOND, ge=SECOND, le=MINUTE, description="For the project's keys.")
    allow_http: bool = False
    allowed_networks: CommaSeparated = ()

    @property
    def issuer(self) -> str | None:
        return None if self.url is None else f"{str(self.url).rstrip('/')}/auth/v1"

    @model_validator(mode="before")
    @classmethod
    def _split(cls, values: object) -> object:
        return split_lists(values, {"allowed_networks"})

    @field_validator("allowed_networks")
    @classmethod
    def _networks(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        for value in values:
            ip_network(value, strict=False)
        return values

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.jwt_secret is not None:
            if self.url is None:
                raise ValueError("SUPABASE__JWT_SECRET needs the project: set SUPABASE__URL")
            if len(self.jwt_secret.get_secret_value()) < _SHORTEST_SECRET:
                raise ValueError(f"SUPABASE__JWT_SECRET must have at least {_SHORTEST_SECRET} characters")
        return self
