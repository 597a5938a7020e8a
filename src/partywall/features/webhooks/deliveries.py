"""Lists deliveries for users and redelivers them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from uuid import UUID

from partywall.core.db.session import AsyncReadSession, AsyncSession
from partywall.core.jobs.queue import enqueue_once
from partywall.core.page_request import PageRequest
from partywall.core.pagination import Cursors
from partywall.core.rights import require
from partywall.core.schemas import Page
from partywall.core.tenancy import Principal, ProjectScope, UnlockedScope
from partywall.features.projects.members import lock_membership
from partywall.features.webhooks.delivery_repository import KEYSET, DeliveryRepository, DeliveryWriter
from partywall.features.webhooks.exceptions import (
    DeliveryNotFoundError,
    EventNotKeptError,
    WebhookDisabledError,
    WebhookNotFoundError,
)
from partywall.features.webhooks.jobs import DELIVER_WEBHOOK, DeliverWebhook
from partywall.features.webhooks.models import WebhookDelivery
from partywall.features.webhooks.repository import WebhookRepository, WebhookWriter
from partywall.features.webhooks.rights import WEBHOOK_MANAGE
from partywall.features.webhooks.schemas import Delivery, DeliveryQuery


def _present(row: WebhookDelivery) -> Delivery:
    return Delivery.model_validate(row, from_attributes=True)


async def list_deliveries(
    session: AsyncReadSession, scope: ProjectScope, webhook_id: UUID, query: DeliveryQuery, cursors: Cursors
) -> Page[Delivery]:
    """Raises WebhookNotFoundError."""
    require(scope, WEBHOOK_MANAGE)
    wanted = PageRequest(query, cursors, KEYSET, ("deliveries", scope.project_id, webhook_id, query.status))
    if await WebhookRepository(session, scope).get(webhook_id) is None:
        raise WebhookNotFoundError
    deliveries = DeliveryRepository(session, scope)
    return await wanted.page(
        partial(deliveries.page, webhook_id, query.status),
        partial(deliveries.count, webhook_id, query.status),
        _present,
        lambda delivery: (delivery.created_at, delivery.id),
    )


@dataclass(frozen=True, slots=True)
class DeliveryService:
    session: AsyncSession
    scope: UnlockedScope

    async def redeliver(self, webhook_id: UUID, delivery_id: UUID) -> Delivery:
        """Makes the delivery due at once, whatever its status, and ends the webhook's pause."""
        scope = await lock_membership(self.session, self.scope)
        require(scope, WEBHOOK_MANAGE)
        found = await WebhookWriter(self.session, scope).lock(webhook_id)
        if found is None:
            raise WebhookNotFoundError
        deliveries = DeliveryRepository(self.session, scope)
        row = await deliveries.get(webhook_id, delivery_id)
        if row is None:
            raise DeliveryNotFoundError
        webhook, disabled_reason = found
        if not webhook.enabled or disabled_reason is not None:
            raise WebhookDisabledError("Enable the webhook first.")
        if row.event_id < (await deliveries.oldest_event() or 1):
            raise EventNotKeptError("Events are kept for a limited time, and this one was removed.")
        await DeliveryWriter(self.session, scope).ask_again(delivery_id)
        await WebhookWriter(self.session, scope).resume(webhook_id)
        principal = str(Principal.service(scope.project_id))
        payload = DeliverWebhook(project_id=scope.project_id, principal=principal, webhook_id=webhook_id)
        await enqueue_once(self.session, DELIVER_WEBHOOK, payload, webhook_id)
        self.session.expire_all()
        again = await deliveries.get(webhook_id, delivery_id)
        if again is None:  # pruned meanwhile
            raise DeliveryNotFoundError
        return _present(again)
