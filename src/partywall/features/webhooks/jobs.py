from __future__ import annotations

from typing import Final
from uuid import UUID

from partywall.core.jobs.kinds import JobKind
from partywall.core.jobs.payloads import ProjectJobPayload


class DeliverWebhook(ProjectJobPayload):
    """Sends one webhook's deliveries. `wall.enqueue_deliveries` builds the same payload."""

    webhook_id: UUID


# Deliveries count their own attempts. These count workers that died or failed.
DELIVER_WEBHOOK: Final = JobKind("deliver_webhook", DeliverWebhook, max_attempts=10)
