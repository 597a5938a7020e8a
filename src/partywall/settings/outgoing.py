from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from partywall.settings.base import CommaSeparated, Section


class OutgoingSettings(Section):
    """What may be called of the addresses that users give."""

    allow_http: bool = False
    allowed_networks: CommaSeparated = ()
    allowed_ports: Annotated[tuple[int, ...], NoDecode] = ()
    ca_file: Path | None = None

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
    """`attempts` of one delivery; a webhook that has failed for `disable_after` without a success is disabled."""

    attempts: int = Field(default=10, ge=1, le=20)
    first_retry: timedelta = Field(default=timedelta(seconds=10), gt=timedelta(0), le=timedelta(hours=1))
    disable_after: timedelta = Field(default=timedelta(days=5), gt=timedelta(0))
    timeout: timedelta = Field(default=timedelta(seconds=10), gt=timedelta(0), le=timedelta(seconds=60))
    concurrency: int = Field(default=50, ge=1, le=200, description="Webhooks that one worker serves at once.")
    poll_interval: timedelta = Field(default=timedelta(seconds=1), gt=timedelta(0))
    retention: timedelta = Field(default=timedelta(days=30), ge=timedelta(days=7))
