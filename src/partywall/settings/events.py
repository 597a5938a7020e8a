from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from partywall.settings.base import DAY, GIB, HOUR, MIB, MILLISECOND, SECOND, TIB, YEAR, Section


class EventSettings(Section):
    retention: timedelta = Field(default=30 * DAY, ge=HOUR, le=10 * YEAR)
    per_project: int = Field(default=5_000_000, ge=1_000, le=10**15, description="Above it, the oldest are dropped.")
    bytes_per_project: int = Field(default=GIB, ge=MIB, le=TIB, description="Above it, the oldest are dropped.")
    poll_interval: timedelta = Field(default=5 * SECOND, ge=100 * MILLISECOND, le=HOUR)
    heartbeat: timedelta = Field(default=15 * SECOND, ge=SECOND, le=HOUR)
    ticket_ttl: timedelta = Field(default=30 * SECOND, ge=SECOND, le=HOUR)
    connections: int = Field(default=5000, ge=1, le=1_000_000, description="Open streams and sockets in one process.")
    connections_per_principal: int = Field(default=100, ge=1, le=1_000_000)
    send_timeout: timedelta = Field(default=30 * SECOND, ge=SECOND, le=HOUR)
