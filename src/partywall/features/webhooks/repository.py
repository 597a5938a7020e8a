from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Row, Select, Uuid, and_, bindparam, delete, func, insert, select, update

from partywall.core.db.keyset import After, Keyset
from partywall.core.db.session import AsyncReadSession, AsyncSession, note_enqueued
from partywall.core.events.models import EventCounter
from partywall.core.tenancy import ExclusiveScope, ProjectScope
from partywall.features.webhooks.lock_order import lock_webhook
from partywall.features.webhooks.models import Webhook, WebhookProgress

_CATCH_UP: Final = select(func.wall.catch_up_events(bindparam("project_id", type_=Uuid), 10_000))
KEYSET: Final = Keyset({"created_at": Webhook.created_at}, Webhook.id)

# A webhook, and the reason if the server has disabled it.
type WebhookRow = Row[Webhook, str | None]


@dataclass(frozen=True, slots=True)
class WebhookOptions:
    """The settings of a webhook that users change."""

    url: str
    types: list[str] | None
    description: str | None
    enabled: bool


@dataclass(frozen=True, slots=True)
class WebhookRepository:
    session: AsyncReadSession
    scope: ProjectScope

    async def page(self, sort: str, limit: int, offset: int, after: After | None) -> list[WebhookRow]:
        query = KEYSET.page(_found(self.scope), sort, limit, offset, after)
        return list((await self.session.execute(query)).all())

    async def count(self) -> int:
        query = select(func.count()).select_from(Webhook).where(Webhook.project_id == self.scope.project_id)
        return await self.session.scalar(query) or 0

    async def get(self, webhook_id: UUID) -> WebhookRow | None:
        return (await self.session.execute(_found(self.scope).where(Webhook.id == webhook_id))).one_or_none()


def _found(scope: ProjectScope) -> Select[Webhook, str | None]:
    return (
        select(Webhook, WebhookProgress.disabled_reason)
        .join(
            WebhookProgress,
            and_(WebhookProgress.project_id == Webhook.project_id, WebhookProgress.webhook_id == Webhook.id),
        )
        .where(Webhook.project_id == scope.project_id)
    )


@dataclass(frozen=True, slots=True)
class WebhookWriter:
    session: AsyncSession
    scope: ExclusiveScope

    async def lock(self, webhook_id: UUID) -> WebhookRow | None:
        """Locks it against its worker until this transaction ends."""
        if await lock_webhook(self.session, self.scope, webhook_id) is None:
            return None
        progress = _found(self.scope).where(Webhook.id == webhook_id).with_for_update(of=WebhookProgress)
        return (await self.session.execute(progress)).one_or_none()

    async def add(self, url: str, types: list[str] | None, description: str | None, sealed: bytes) -> Webhook:
        """Starts after the newest event, so that the event of its own creation is the first that it sends.

        Numbers all events committed before, which locks the counter (last in the lock order) until the commit.
        """
        made = await self.session.scalars(
            insert(Webhook)
            .values(
                project_id=self.scope.project_id, url=url, types=types, description=description, sealed_secret=sealed,
                created_by=str(self.scope.principal),
            )
            .returning(Webhook)
        )  # fmt: skip
        webhook = made.one()
        await self.session.execute(_CATCH_UP, {"project_id": self.scope.project_id})
        note_enqueued(self.session)  # wakes the project's other webhooks for the events just numbered
        newest = select(EventCounter.last).where(EventCounter.project_id == self.scope.project_id).scalar_subquery()
        await self.session.execute(
            insert(WebhookProgress).values(project_id=self.scope.project_id, webhook_id=webhook.id, position=newest)
        )
        return webhook

    async def decide(self, webhook_id: UUID, decided: WebhookOptions) -> Webhook:
        changed = await self.session.scalars(
            update(Webhook)
            .where(Webhook.project_id == self.scope.project_id, Webhook.id == webhook_id)
            .values(
                url=decided.url, types=decided.types, description=decided.description, enabled=decided.enabled,
                revision=Webhook.revision + 1, updated_at=func.now(),
            )
            .returning(Webhook)
            .execution_options(populate_existing=True)
        )  # fmt: skip
        return changed.one()

    async def start_afresh(self, webhook_id: UUID, *, enabled: bool) -> None:
        """Resets the failures; if the user sets `enabled`, also the reason why the server disabled it."""
        reason = {WebhookProgress.disabled_reason: None} if enabled else {}
        await self.session.execute(
            update(WebhookProgress)
            .where(WebhookProgress.project_id == self.scope.project_id, WebhookProgress.webhook_id == webhook_id)
            .values(
                {
                    WebhookProgress.failures: 0, WebhookProgress.failing_at: None, WebhookProgress.paused_until: None,
                    **reason,
                }
            )
        )  # fmt: skip

    async def resume(self, webhook_id: UUID) -> None:
        """Ends the pause, but keeps the failure count."""
        await self.session.execute(
            update(WebhookProgress)
            .where(WebhookProgress.project_id == self.scope.project_id, WebhookProgress.webhook_id == webhook_id)
            .values({WebhookProgress.paused_until: None})
        )

    async def rotate(self, webhook_id: UUID, sealed: bytes, previous_until: datetime) -> Webhook:
        """Until `previous_until` the current secret signs beside the new one; an older one no longer does."""
        rotated = await self.session.scalars(
            update(Webhook)
            .where(Webhook.project_id == self.scope.project_id, Webhook.id == webhook_id)
            .values(
                sealed_previous_secret=Webhook.sealed_secret, previous_until=previous_until, sealed_secret=sealed,
                revision=Webhook.revision + 1, updated_at=func.now(),
            )
            .returning(Webhook)
            .execution_options(populate_existing=True)
        )  # fmt: skip
        return rotated.one()

    async def remove(self, webhook_id: UUID) -> None:
        await self.session.execute(
            delete(Webhook).where(Webhook.project_id == self.scope.project_id, Webhook.id == webhook_id)
        )
