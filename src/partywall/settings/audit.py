from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from partywall.settings.base import DAY, YEAR, Section


class AuditSettings(Section):
    retention: timedelta = Field(default=365 * DAY, ge=DAY, le=10 * YEAR)
