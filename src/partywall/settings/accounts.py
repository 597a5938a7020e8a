from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field

from partywall.settings.base import Section


class AccountSettings(Section):
    registration: Literal["open", "invite", "closed"] = Field(
        default="open", description="Unset: open in development; production wants it chosen."
    )
    verification: Literal["optional", "required"] | None = Field(
        default=None, description="Unset: optional in development, required in production."
    )
    access_token_ttl: timedelta = timedelta(minutes=15)
    refresh_token_ttl: timedelta = timedelta(days=30)
    max_failed_logins: int = Field(default=5, ge=1, description="In a row, of one account from one network.")
    lockout: timedelta = Field(default=timedelta(minutes=30), gt=timedelta(0))
    known_network_retention: timedelta = Field(
        default=timedelta(days=90), description="How long a network counts as the account's own after a login."
    )
    attempts_per_minute: int = Field(default=30, ge=1, description="Credential attempts per client address.")
    password_hash_concurrency: int = Field(default=2, ge=1, le=32)
