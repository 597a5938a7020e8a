"""The core's tables; slices add theirs to the same metadata."""

from __future__ import annotations

from typing import Final

from partywall.core.db.base import Base
from partywall.core.events.models import Event, EventCounter, PendingEvent
from partywall.core.idempotency.models import IdempotencyKey
from partywall.core.jobs.models import JobSchedule, StoredJob
from partywall.core.security.models import SigningKey

METADATA: Final = Base.metadata

__all__ = [
    "METADATA", "Event", "EventCounter", "IdempotencyKey", "JobSchedule", "PendingEvent", "SigningKey", "StoredJob",
]  # fmt: skip
