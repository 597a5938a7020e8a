from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_network
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from partywall.settings.base import DAY, HOUR, MILLISECOND, MINUTE, SECOND, YEAR, CommaSeparated, Section
from partywall.settings.values import PathName


class OutgoingSettings(Section):
    """Which user-given addresses may be called."""

    allow_http: bool = False
    allowed_networks: CommaSeparated = ()
    allowed_ports: Annotated[tuple[Annotated[int, Field(ge=1, le=65535)], ...], NoDecode] = ()
    ca_file: PathName | None = None

    @field_validator("allowed_networks", "allowed_ports", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("allowed_networks")
    @classmethod
    def _networks(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        for value in values:
            ip_network(value, strict=False)
        return values


class WebhookSettings(Section):
    """`attempts` are per delivery; a webhook that only fails for `disable_after` is disabled."""

    attempts: int = Field(default=10, ge=1, le=20)
    first_retry: timedelta = Field(default=10 * SECOND, ge=SECOND, le=HOUR)
    disable_after: timedelta = Field(default=5 * DAY, ge=MINUTE, le=YEAR)
    timeout: timedelta = Field(default=10 * SECOND, ge=SECOND, le=MINUTE)
    concurrency: int = Field(default=50, ge=1, le=200, description="Webhooks one worker serves at once.")
    poll_interval: timedelta = Field(default=SECOND, ge=100 * MILLISECOND, le=HOUR)
    retention: timedelta = Field(default=30 * DAY, ge=7 * DAY, le=10 * YEAR)
