"""What a worker writes for the webhook whose job it holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, null, select, update
from sqlalchemy.dialects.postgresql import insert

from partywall.core.db.session import AsyncSession
from partywall.core.events.batches import WireEvent
from partywall.core.tenancy import SharedScope
from partywall.features.webhooks.lock_order import lock_webhook
from partywall.features.webhooks.models import WebhookDelivery, WebhookProgress
from partywall.features.webhooks.retry_policy import Outcome


@dataclass(frozen=True, slots=True)
class DeliverySessionRepository:
    """For transactions fenced by the job's lease: they commit only while no other worker serves the webhook."""

    session: AsyncSession
    scope: SharedScope

    async def lock(self, webhook_id: UUID) -> WebhookProgress | None:
        """Locks the webhook and its progress, which is returned; None if it was deleted."""
        if await lock_webhook(self.session, self.scope, webhook_id) is None:
            return None
        query = select(WebhookProgress).where(
            WebhookProgress.project_id == self.scope.project_id, WebhookProgress.webhook_id == webhook_id
        )
        return (await self.session.scalars(query.with_for_update())).one_or_none()

    async def fan_out(self, webhook_id: UUID, events: Sequence[WireEvent], upto: int, quiet: timedelta) -> None:
        """Adds a delivery per event, moves the position to `upto` and pauses the search for new events for `quiet`."""
        if events:
            rows = [
                {
                    "project_id": self.scope.project_id, "webhook_id": webhook_id, "event_id": event.id,
                    "event_type": event.type,
                }
                for event in events
            ]  # fmt: skip
            await self.session.execute(insert(WebhookDelivery).values(rows).on_conflict_do_nothing())
        await self.session.execute(
            update(WebhookProgress)
            .where(WebhookProgress.project_id == self.scope.project_id, WebhookProgress.webhook_id == webhook_id)
            .values(position=upto, quiet_until=func.now() + quiet)
        )

    async def keep_due(self, delivery_id: UUID, outcome: Outcome) -> None:
        """Counts an attempt at a delivery that was requested again meanwhile; it stays due."""
        tried = WebhookDelivery.attempts + 1
        await self.session.execute(
            update(WebhookDelivery)
            .where(WebhookDelivery.project_id == self.scope.project_id, WebhookDelivery.id == delivery_id)
            .values(attempts=tried, attempts_before=tried, status_code=outcome.status_code, error=outcome.error)
        )

    async def finish(self, delivery_id: UUID, since: datetime, status: str, outcome: Outcome) -> bool:
        """Ends the delivery. False if it was requested again: it is no longer due `since` the same instant."""
        return await self._tried(
            delivery_id, since, outcome, status=status, next_attempt_at=null(), finished_at=func.now()
        )

    async def postpone(self, delivery_id: UUID, since: datetime, wait: timedelta, outcome: Outcome) -> bool:
        """Schedules the next attempt after `wait`. False as for `finish`."""
        return await self._tried(delivery_id, since, outcome, next_attempt_at=func.now() + wait)

    async def _tried(self, delivery_id: UUID, since: datetime, outcome: Outcome, **values: object) -> bool:
        found = await self.session.scalars(
            update(WebhookDelivery)
            .where(
                WebhookDelivery.project_id == self.scope.project_id,
                WebhookDelivery.id == delivery_id,
                WebhookDelivery.next_attempt_at == since,
            )
            .values(
                attempts=WebhookDelivery.attempts + 1, status_code=outcome.status_code, error=outcome.error, **values
            )
            .returning(WebhookDelivery.id)
        )  # fmt: skip
        return found.one_or_none() is not None

    async def note_success(self, webhook_id: UUID) -> None:
        await self.session.execute(
            update(WebhookProgress)
            .where(WebhookProgress.project_id == self.scope.project_id, WebhookProgress.webhook_id == webhook_id)
            .values(failures=0, failing_at=null(), paused_until=null())
        )

    async def note_failure(
        self, webhook_id: UUID, failing_at: datetime, pause: timedelta | None, disabled_reason: str | None
    ) -> None:
        await self.session.execute(
            update(WebhookProgress)
            .where(WebhookProgress.project_id == self.scope.project_id, WebhookProgress.webhook_id == webhook_id)
            .values(
                failures=WebhookProgress.failures + 1,
                failing_at=failing_at,
                paused_until=null() if pause is None else func.now() + pause,
                disabled_reason=disabled_reason,
            )
        )
