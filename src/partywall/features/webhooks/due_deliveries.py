"""Reads in one statement what a webhook has to send next, and whether the worker still holds its job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Self
from uuid import UUID

import asyncpg
from sqlalchemy import BigInteger, ColumnElement, Select, Uuid, and_, bindparam, func, select, true

from partywall.core.db.scoped_query import PROJECT_ID, ScopedQuery
from partywall.core.events.models import EventCounter
from partywall.core.jobs.models import StoredJob
from partywall.features.webhooks.models import Webhook, WebhookDelivery, WebhookProgress

_WEBHOOK_ID: Final = bindparam("webhook_id", type_=Uuid)


def _next(allowed: ColumnElement[bool]) -> Select[*tuple[object, ...]]:
    pending = and_(
        allowed, WebhookDelivery.project_id == PROJECT_ID, WebhookDelivery.webhook_id == _WEBHOOK_ID,
        WebhookDelivery.status == "pending",
    )  # fmt: skip
    # The due delivery with the oldest event.
    due = (
        select(
            WebhookDelivery.id.label("delivery_id"), WebhookDelivery.event_id, WebhookDelivery.next_attempt_at,
            (WebhookDelivery.attempts - WebhookDelivery.attempts_before + 1).label("attempt"),
        )
        .where(pending, WebhookDelivery.next_attempt_at <= func.now())
        .order_by(WebhookDelivery.event_id)
        .limit(1)
        .lateral("due")
    )  # fmt: skip
    later = select(func.min(WebhookDelivery.next_attempt_at) - func.now()).where(pending).scalar_subquery()
    job = StoredJob.id == bindparam("job_id", type_=BigInteger)
    leased = select(StoredJob.lease == bindparam("lease", type_=Uuid)).where(allowed, job).scalar_subquery()
    last = (
        select(EventCounter.last).where(allowed, EventCounter.project_id == PROJECT_ID).scalar_subquery()
    )  # fmt: skip
    return (
        select(
            Webhook.url, Webhook.types, Webhook.sealed_secret, Webhook.sealed_previous_secret, Webhook.previous_until,
            and_(Webhook.enabled, WebhookProgress.disabled_reason.is_(None)).label("is_on"),
            (WebhookProgress.paused_until - func.now()).label("paused_for"),
            WebhookProgress.position, last.label("last"), leased.label("leased"), later.label("due_in"),
            due.c.delivery_id, due.c.event_id, due.c.next_attempt_at, due.c.attempt,
        )
        .join(
            WebhookProgress,
            and_(WebhookProgress.project_id == Webhook.project_id, WebhookProgress.webhook_id == Webhook.id),
        )
        .outerjoin(due, true())
        .where(allowed, Webhook.project_id == PROJECT_ID, Webhook.id == _WEBHOOK_ID)
    )  # fmt: skip


NEXT: Final = ScopedQuery.read(_next)


@dataclass(frozen=True, slots=True)
class DueDelivery:
    """A delivery that is due since `since`."""

    id: UUID
    event_id: int
    attempt: int
    since: datetime


@dataclass(frozen=True, slots=True)
class DueState:
    """An enabled webhook, its pause and what is due. If nothing is due, events after `position` need deliveries."""

    url: str
    types: Sequence[str] | None
    secret: bytes
    previous_secret: bytes | None
    previous_until: datetime | None
    position: int
    pause: timedelta
    due: DueDelivery | None

    @classmethod
    def of(cls, row: asyncpg.Record) -> Self | None:
        """None if the webhook is disabled or has nothing to send."""
        behind = row["position"] < row["last"]
        if not row["is_on"] or (row["due_in"] is None and not behind):
            return None
        due = None
        if row["delivery_id"] is not None:
            due = DueDelivery(row["delivery_id"], row["event_id"], row["attempt"], row["next_attempt_at"])
        rest = timedelta() if behind or due is not None else row["due_in"]
        pause = max(timedelta(), rest, row["paused_for"] or timedelta())
        secrets = row["sealed_secret"], row["sealed_previous_secret"], row["previous_until"]
        return cls(row["url"], row["types"], *secrets, row["position"], pause, due)

    def sealed_secrets(self, now: datetime) -> list[bytes]:
        """The secrets to sign with at `now`."""
        previous, until = self.previous_secret, self.previous_until
        overlaps = previous is not None and until is not None and until > now
        return [self.secret, previous] if overlaps and previous is not None else [self.secret]
