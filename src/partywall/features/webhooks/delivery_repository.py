"""Deliveries as clients list and repeat them; `delivery_session.py` sends them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, null, select, update

from partywall.core.db.keyset import After, Keyset
from partywall.core.db.session import AsyncReadSession, AsyncSession
from partywall.core.events.models import EventCounter
from partywall.core.tenancy import ExclusiveScope, ProjectScope
from partywall.features.webhooks.models import WebhookDelivery

KEYSET: Final = Keyset({"created_at": WebhookDelivery.created_at}, WebhookDelivery.id)


@dataclass(frozen=True, slots=True)
class DeliveryRepository:
    session: AsyncReadSession
    scope: ProjectScope

    async def page(
        self,
        webhook_id: UUID,
        status: str | None,
        sort: str,
        limit: int,
        offset: int,
        after: After | None,
    ) -> list[WebhookDelivery]:
        query = select(WebhookDelivery).where(
            WebhookDelivery.project_id == self.scope.project_id, _listed(webhook_id, status)
        )
        return list(await self.session.scalars(KEYSET.page(query, sort, limit, offset, after)))

    async def count(self, webhook_id: UUID, status: str | None) -> int:
        ours = WebhookDelivery.project_id == self.scope.project_id
        query = select(func.count()).select_from(WebhookDelivery).where(ours, _listed(webhook_id, status))
        return await self.session.scalar(query) or 0

    async def get(self, webhook_id: UUID, delivery_id: UUID) -> WebhookDelivery | None:
        query = select(WebhookDelivery).where(
            WebhookDelivery.project_id == self.scope.project_id,
            WebhookDelivery.webhook_id == webhook_id,
            WebhookDelivery.id == delivery_id,
        )
        return (await self.session.scalars(query)).one_or_none()

    async def oldest_event(self) -> int | None:
        """The number of the oldest event that the project keeps."""
        query = select(EventCounter.oldest).where(EventCounter.project_id == self.scope.project_id)
        return await self.session.scalar(query)


@dataclass(frozen=True, slots=True)
class DeliveryWriter:
    session: AsyncSession
    scope: ExclusiveScope

    async def ask_again(self, delivery_id: UUID) -> None:
        """Makes it due at once, with all the retries of a new delivery."""
        await self.session.execute(
            update(WebhookDelivery)
            .where(WebhookDelivery.project_id == self.scope.project_id, WebhookDelivery.id == delivery_id)
            .values(
                status="pending", attempts_before=WebhookDelivery.attempts, next_attempt_at=func.now(),
                finished_at=null(),
            )
        )  # fmt: skip


def _listed(webhook_id: UUID, status: str | None) -> ColumnElement[bool]:
    listed = WebhookDelivery.webhook_id == webhook_id
    return listed if status is None else and_(listed, WebhookDelivery.status == status)
