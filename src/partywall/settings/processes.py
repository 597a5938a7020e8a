from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from partywall.settings.base import Section


class ProcessSettings(Section):
    """When a process is given up: one whose event loop does not answer, and one that reads a costly text."""

    loop_timeout: timedelta = Field(default=timedelta(seconds=30), ge=timedelta(seconds=2))
    texts_at_once: int = Field(default=2, ge=1, le=32)
    text_cpu_time: timedelta = Field(default=timedelta(seconds=10), ge=timedelta(seconds=1))
    text_memory: int = Field(default=512 * 1024 * 1024, ge=128 * 1024 * 1024)
