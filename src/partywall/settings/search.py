from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from partywall.settings.base import MILLISECOND, MINUTE, SECOND, Section


class SearchSettings(Section):
    """How much of the database searches may use."""

    timeout: timedelta = Field(default=3 * SECOND, ge=100 * MILLISECOND, le=MINUTE)
    concurrency: int = Field(default=12, ge=1, le=200, description="Concurrent searches in one process.")
    concurrency_per_account: int = Field(default=4, ge=1, le=200)
