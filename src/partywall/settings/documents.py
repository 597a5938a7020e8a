from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from partywall.settings.base import DAY, HOUR, YEAR, Section


class DocumentSettings(Section):
    trash_period: timedelta = Field(
        default=30 * DAY, ge=timedelta(), le=10 * YEAR, description="0: documents are deleted for good at once."
    )
    version_retention: timedelta | None = Field(
        default=None, ge=HOUR, le=100 * YEAR, description="Unset: as long as the quota of versions allows."
    )
