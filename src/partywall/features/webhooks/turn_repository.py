"""What a worker reads and writes of the webhook whose lease it holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import Integer, Interval, Uuid, bindparam, func, null, select, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.orm import undefer

from partywall.core.db.session import AsyncSession
from partywall.core.events.batches import WireEvent
from partywall.core.tenancy import ProjectScope
from partywall.features.webhooks.locking import lock_webhook
from partywall.features.webhooks.models import Webhook, WebhookDelivery, WebhookProgress

_FOR_WHOM: Final = (
    bindparam("worker", type_=Uuid), bindparam("most", type_=Integer), bindparam("lease", type_=Interval),
)  # fmt: skip
_CLAIMED: Final = ("account_id", "project_id", "webhook_id")
# Whatever is due, and what is new in some projects.
CLAIM: Final = select(func.wall.claim_webhooks(*_FOR_WHOM).table_valued(*_CLAIMED))
CLAIM_OF: Final = select(
    func.wall.claim_webhooks_of(*_FOR_WHOM, bindparam("projects", type_=ARRAY(Uuid))).table_valued(*_CLAIMED)
)
# The same as single statements, which need no transaction around them.
CLAIM_AT_ONCE: Final = "SELECT account_id, project_id, webhook_id FROM wall.claim_webhooks($1, $2, $3)"
CLAIM_OF_AT_ONCE: Final = "SELECT account_id, project_id, webhook_id FROM wall.claim_webhooks_of($1, $2, $3, $4)"


@dataclass(frozen=True, slots=True)
class Claim:
    """A webhook, and the worker that has claimed it."""

    webhook_id: UUID
    worker: UUID


@dataclass(frozen=True, slots=True)
class TurnRepository:
    """Every write holds the lease's row, so that nobody else has taken it over when it commits."""

    session: AsyncSession
    scope: ProjectScope

    async def hold(self, claim: Claim, lease: timedelta) -> tuple[Webhook, WebhookProgress] | None:
        """Prolongs the lease, and answers the webhook with its sealed secrets; None where the lease is lost."""
        secrets = (undefer(Webhook.sealed_secret), undefer(Webhook.sealed_previous_secret))
        webhook = await lock_webhook(self.session, self.scope, claim.webhook_id, *secrets)
        held = await self.session.scalars(
            update(WebhookProgress)
            .where(
                WebhookProgress.project_id == self.scope.project_id,
                WebhookProgress.webhook_id == claim.webhook_id,
                WebhookProgress.leased_by == claim.worker,
            )
            .values(leased_until=func.clock_timestamp() + lease)
            .returning(WebhookProgress)
        )
        progress = held.one_or_none()
        return None if webhook is None or progress is None else (webhook, progress)

    async def release(self, claim: Claim) -> None:
        await self.session.execute(
            update(WebhookProgress)
            .where(
                WebhookProgress.project_id == self.scope.project_id,
                WebhookProgress.webhook_id == claim.webhook_id,
                WebhookProgress.leased_by == claim.worker,
            )
            .values(leased_by=null(), leased_until=null())
        )

    async def next_due(self, webhook_id: UUID) -> WebhookDelivery | None:
        """Of those that are due the one with the oldest event."""
        query = (
            select(WebhookDelivery)
            .where(
                WebhookDelivery.project_id == self.scope.project_id,
                WebhookDelivery.webhook_id == webhook_id,
                WebhookDelivery.status == "pending",
                WebhookDelivery.next_attempt_at <= func.now(),
            )
            .order_by(WebhookDelivery.event_id)
            .limit(1)
        )
        return (await self.session.scalars(query)).one_or_none()

    async def fan_out(self, webhook_id: UUID, events: Sequence[WireEvent], upto: int) -> None:
        """A delivery for each of these events, and the position behind them."""
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
            .values(position=upto)
        )

    async def stay_due(
        self, delivery_id: UUID, since: datetime | None, status_code: int | None, error: str | None
    ) -> bool:
        """Counts an attempt at what somebody has asked for again meanwhile, and leaves the rest as they want it.

        False where nobody has: it is still due `since` the instant at which the attempt found it due.
        """
        counted = await self.session.scalars(
            update(WebhookDelivery)
            .where(
                WebhookDelivery.project_id == self.scope.project_id,
                WebhookDelivery.id == delivery_id,
                WebhookDelivery.next_attempt_at.is_distinct_from(since),
            )
            .values(
                attempts=WebhookDelivery.attempts + 1, attempts_before=WebhookDelivery.attempts + 1,
                status_code=status_code, error=error,
            )
            .returning(WebhookDelivery.id)
        )  # fmt: skip
        return counted.one_or_none() is not None

    async def finish(self, delivery_id: UUID, status: str, status_code: int | None, error: str | None) -> None:
        await self.session.execute(
            update(WebhookDelivery)
            .where(WebhookDelivery.project_id == self.scope.project_id, WebhookDelivery.id == delivery_id)
            .values(
                status=status, attempts=WebhookDelivery.attempts + 1, status_code=status_code, error=error,
                next_attempt_at=null(), finished_at=func.now(),
            )
        )  # fmt: skip

    async def postpone(self, delivery_id: UUID, wait: timedelta, status_code: int | None, error: str | None) -> None:
        await self.session.execute(
            update(WebhookDelivery)
            .where(WebhookDelivery.project_id == self.scope.project_id, WebhookDelivery.id == delivery_id)
            .values(
                attempts=WebhookDelivery.attempts + 1, status_code=status_code, error=error,
                next_attempt_at=func.now() + wait,
            )
        )  # fmt: skip

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
