"""The job that sends one webhook's deliveries, one after another, for a limited time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog
from structlog.contextvars import bound_contextvars

from partywall.core.clock import utc_now
from partywall.core.db.scoped_access import ScopedReader
from partywall.core.db.scoped_query import Value
from partywall.core.db.session import AsyncSession
from partywall.core.events.batches import WireEvent, read_batch
from partywall.core.events.filters import TypeFilter
from partywall.core.events.log import EventDraft, publish
from partywall.core.jobs.context import JobContext
from partywall.core.jobs.lease import LeaseLostError
from partywall.core.outgoing.resolver import on_behalf_of
from partywall.core.resources import Resources
from partywall.core.tenancy import SharedScope
from partywall.features.webhooks.constants import FAN_OUT, ON_REQUEST, PURPOSE, SESSION_LENGTH
from partywall.features.webhooks.delivery_session_repository import DeliverySessionRepository
from partywall.features.webhooks.due_deliveries import NEXT, DueDelivery, DueState
from partywall.features.webhooks.jobs import DeliverWebhook
from partywall.features.webhooks.retry_policy import Outcome, RetryPolicy
from partywall.features.webhooks.sender import OutgoingRequest, send
from partywall.features.webhooks.signature import signed_headers

log = structlog.get_logger(__name__)

# An attempt that takes longer is only waiting for the receiver: it can no longer crash the worker.
WAITING_SECONDS: Final = 1.0


async def deliver_webhook(context: JobContext, payload: DeliverWebhook) -> timedelta | None:
    """The time until the webhook's next delivery, None if none is known. New events enqueue the job themselves."""
    settings = context.resources.settings.webhooks
    policy = RetryPolicy(settings.first_retry, settings.attempts, settings.disable_after)
    with on_behalf_of(context.account), bound_contextvars(webhook_id=str(payload.webhook_id)):
        return await DeliverySession(context, payload, policy).run()


@dataclass(frozen=True, slots=True)
class DeliverySession:
    """Ends after one attempt if other jobs wait for a slot."""

    context: JobContext
    payload: DeliverWebhook
    policy: RetryPolicy

    async def run(self) -> timedelta | None:
        loop = asyncio.get_running_loop()
        ends = loop.time() + SESSION_LENGTH.total_seconds()
        while True:
            due_state = await self._read_state()
            if due_state is None or due_state.pause != timedelta():
                return None if due_state is None else due_state.pause
            if self.context.stopping.is_set() or loop.time() >= ends:
                return timedelta()
            if due_state.due is None:
                await self._fan_out(due_state)
                continue
            await self._attempt(due_state, due_state.due)
            if self.context.crowded():
                return timedelta()

    async def _read_state(self) -> DueState | None:
        """The webhook's state; None if nothing is to be sent. Raises LeaseLostError: only the lease holder may send."""
        given: dict[str, Value] = {
            "webhook_id": self.payload.webhook_id, "job_id": self.context.job_id, "lease": self.context.lease,
        }  # fmt: skip
        _, row = await self._reader.row(NEXT, self.payload.project_id, given)
        if row["url"] is None:
            return None
        if not row["leased"]:
            raise LeaseLostError(f"another worker holds job {self.context.job_id}")
        return DueState.of(row)

    async def _fan_out(self, due_state: DueState) -> None:
        """Creates deliveries for new events."""
        types = None if due_state.types is None else TypeFilter.parse(",".join(due_state.types))
        batch = await read_batch(
            self._reader, self.payload.project_id, after=due_state.position, limit=FAN_OUT, types=types
        )
        if due_state.position < batch.oldest - 1:
            log.warning("webhook_events_lost", upto=batch.oldest - 1)
        quiet = self._resources.settings.webhooks.poll_interval
        async with self.context.begin(self.payload) as (session, scope):
            repository = DeliverySessionRepository(session, scope)
            if await repository.lock(self.payload.webhook_id) is not None:
                events = _wanted(due_state, batch.events)
                await repository.fan_out(self.payload.webhook_id, events, batch.upto, quiet)

    async def _attempt(self, due_state: DueState, due: DueDelivery) -> None:
        body = await self._body(due.event_id)
        if body is None:
            outcome = Outcome(None, "the event is no longer kept")
            async with self.context.begin(self.payload) as (session, scope):
                await DeliverySessionRepository(session, scope).finish(due.id, due.since, "failed", outcome)
            return
        box = self._resources.secrets.box(PURPOSE)
        keys = [box.open(each).decode() for each in due_state.sealed_secrets(utc_now())]
        outgoing_request = OutgoingRequest(due_state.url, signed_headers(keys, due.id, utc_now(), body), body)
        outcome = await self._send(outgoing_request)
        async with self.context.begin(self.payload) as (session, scope):
            await self._record(session, scope, due, outcome)

    async def _send(self, outgoing_request: OutgoingRequest) -> Outcome:
        waiting = asyncio.get_running_loop().call_later(WAITING_SECONDS, self.context.progressed)
        try:
            return await send(
                self._resources.outgoing.client, outgoing_request, self._resources.settings.webhooks.timeout
            )
        finally:
            waiting.cancel()

    async def _body(self, event_id: int) -> str | None:
        """The event as the stream shows it; None if it is no longer kept."""
        batch = await read_batch(self._reader, self.payload.project_id, after=event_id - 1, limit=1)
        event = next((event for event in batch.events if event.id == event_id), None)
        return None if event is None else event.body

    async def _record(self, session: AsyncSession, scope: SharedScope, due: DueDelivery, outcome: Outcome) -> None:
        """Stores the outcome for the delivery and the webhook, if the webhook still exists."""
        repository = DeliverySessionRepository(session, scope)
        progress = await repository.lock(self.payload.webhook_id)
        if progress is None:
            return
        settled = await self._settle(repository, due, outcome)
        if not settled:
            await repository.keep_due(due.id, outcome)
        if outcome.succeeded:
            if progress.failures:
                await repository.note_success(self.payload.webhook_id)
            return
        now = utc_now()
        disabled = self.policy.disables(outcome, progress.failing_at, now)
        pause = self.policy.pause(progress.failures + 1 if settled else 0, outcome.asked)
        if disabled is not None and progress.disabled_reason is None:
            self._record_event(session, scope, disabled)
        await repository.note_failure(
            self.payload.webhook_id, progress.failing_at or now, pause, progress.disabled_reason or disabled
        )

    async def _settle(self, repository: DeliverySessionRepository, due: DueDelivery, outcome: Outcome) -> bool:
        """False if the delivery was requested again meanwhile."""
        wait = None if outcome.succeeded else self.policy.retry_in(due.attempt, outcome.asked)
        if wait is None:
            return await repository.finish(due.id, due.since, "succeeded" if outcome.succeeded else "failed", outcome)
        return await repository.postpone(due.id, due.since, wait, outcome)

    def _record_event(self, session: AsyncSession, scope: SharedScope, reason: str) -> None:
        log.warning("webhook_disabled", reason=reason)
        event_drafts = EventDraft(
            "project.webhook_disabled", "webhook", str(self.payload.webhook_id), {"reason": reason}
        )
        publish(session, scope, event_drafts)

    @property
    def _resources(self) -> Resources:
        return self.context.resources

    @property
    def _reader(self) -> ScopedReader:
        return self._resources.reader(self.payload.acting)


def _wanted(due_state: DueState, events: Sequence[WireEvent]) -> Sequence[WireEvent]:
    """The matching events; without patterns, all but those on request."""
    return [event for event in events if event.type not in ON_REQUEST] if due_state.types is None else events
