from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field

from partywall.settings.base import DAY, HOUR, MINUTE, SECOND, YEAR, Section


class AccountSettings(Section):
    registration: Literal["open", "invite", "closed"] = Field(
        default="open", description="Unset: open in development; required in production."
    )
    verification: Literal["optional", "required"] | None = Field(
        default=None, description="Unset: optional in development, required in production."
    )
    access_token_ttl: timedelta = Field(default=15 * MINUTE, ge=SECOND, le=DAY)
    refresh_token_ttl: timedelta = Field(default=30 * DAY, ge=MINUTE, le=10 * YEAR)
    max_failed_logins: int = Field(default=5, ge=1, le=1000, description="In a row, for one account from one network.")
    lockout: timedelta = Field(default=30 * MINUTE, ge=SECOND, le=YEAR)
    known_network_retention: timedelta = Field(
        default=90 * DAY,
        ge=HOUR,
        le=10 * YEAR,
        description="How long a network counts as known to the account after a login.",
    )
    attempts_per_minute: int = Field(default=30, ge=1, le=1_000_000, description="Credential attempts per address.")
    password_hash_concurrency: int = Field(default=2, ge=1, le=32)
