from __future__ import annotations

from typing import Final
from uuid import UUID

from partywall.core.jobs.kinds import JobKind, ProjectJobPayload


class DeliverWebhook(ProjectJobPayload):
    """Sends what one webhook has to send. `wall.enqueue_deliveries` makes the same payload."""

    webhook_id: UUID


# Deliveries count their own attempts. What counts here is that a worker was lost, or failed itself.
DELIVER_WEBHOOK: Final = JobKind("deliver_webhook", DeliverWebhook, max_attempts=10)
