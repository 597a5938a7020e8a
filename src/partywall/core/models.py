"""The core's tables."""

from __future__ import annotations

from partywall.core.audit.models import AccountAudit, ProjectAudit
from partywall.core.events.models import Event, EventCounter, PendingEvent
from partywall.core.idempotency.models import IdempotencyKey
from partywall.core.jobs.models import JobSchedule, StoredJob
from partywall.core.security.models import SigningKey

__all__ = [
    "AccountAudit", "Event", "EventCounter", "IdempotencyKey", "JobSchedule", "PendingEvent", "ProjectAudit",
    "SigningKey", "StoredJob",
]  # fmt: skip
