from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from partywall.settings.base import HOUR, MIB, SECOND, TIB, Section


class ProcessSettings(Section):
    """Limits for processes: an unresponsive event loop, and the work on a costly text."""

    loop_timeout: timedelta = Field(default=30 * SECOND, ge=2 * SECOND, le=HOUR)
    texts_at_once: int = Field(default=2, ge=1, le=32)
    text_cpu_time: timedelta = Field(default=10 * SECOND, ge=SECOND, le=HOUR)
    text_memory: int = Field(default=512 * MIB, ge=128 * MIB, le=TIB)
