"""What a worker does with a webhook that it has claimed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from partywall.core.clock import utc_now
from partywall.core.db.scoped_read import ScopedReader
from partywall.core.db.session import AsyncSession
from partywall.core.events.batches import WireEvent, read_batch
from partywall.core.events.filters import TypeFilter
from partywall.core.events.log import EventLog, News
from partywall.core.resources import Resources
from partywall.core.stopping import CutShortError, unless_stopped
from partywall.core.tenancy import Principal, ProjectScope, enter_to_write
from partywall.features.webhooks.constants import FAN_OUT, ON_REQUEST, PURPOSE, TURN
from partywall.features.webhooks.exceptions import LeaseLostError
from partywall.features.webhooks.models import Webhook, WebhookDelivery, WebhookProgress
from partywall.features.webhooks.retrying import Outcome, Rules
from partywall.features.webhooks.sending import Letter, send
from partywall.features.webhooks.signing import signed_headers
from partywall.features.webhooks.turn_repository import Claim, TurnRepository

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery whose time has come at `since`, and whom it goes to."""

    id: UUID
    event_id: int
    attempt: int
    since: datetime | None
    url: str
    keys: list[str]


@dataclass(frozen=True, slots=True)
class Turn:
    """Serves one webhook, one event after another in their order, for as long as it is its turn.

    Where the places are `crowded` it ends after an attempt, so that it keeps nobody from theirs for longer.
    """

    resources: Resources
    rules: Rules
    lease: timedelta
    project_id: UUID
    claim: Claim
    stop: asyncio.Event
    crowded: Callable[[], bool]

    @property
    def webhook_id(self) -> UUID:
        return self.claim.webhook_id

    async def run(self) -> bool:
        """Whether there is more to do at once."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + TURN.total_seconds()
        more = True
        while more and loop.time() < ends and not self.stop.is_set():
            due = await self._next()
            more = await self._fan_out() if due is None else await self._attempt(due)
            if due is not None and self.crowded():
                break
        await self.release()
        return more

    async def release(self) -> None:
        """Whoever looks next may claim it."""
        async with self._holding() as (_, repository):
            await repository.release(self.claim)

    @asynccontextmanager
    async def _holding(self) -> AsyncIterator[tuple[AsyncSession, TurnRepository]]:
        """A transaction inside the project; `_hold` in it sees to it that it commits only while the lease is ours."""
        async with self.resources.sessions.begin() as session:
            scope = await enter_to_write(session, Principal.service(self.project_id), self.project_id)
            yield session, TurnRepository(session, scope)

    async def _hold(self, repository: TurnRepository) -> tuple[Webhook, WebhookProgress]:
        held = await repository.hold(self.claim, self.lease)
        if held is None:
            raise LeaseLostError
        return held

    async def _next(self) -> Due | None:
        async with self._holding() as (_, repository):
            webhook, progress = await self._hold(repository)
            if not _is_on(webhook, progress):
                return None
            row = await repository.next_due(self.webhook_id)
            return None if row is None else self._due(webhook, row)

    def _due(self, webhook: Webhook, row: WebhookDelivery) -> Due:
        box = self.resources.secrets.box(PURPOSE)
        sealed = [webhook.sealed_secret]
        previous = webhook.sealed_previous_secret
        if previous is not None and webhook.previous_until is not None and webhook.previous_until > utc_now():
            sealed.append(previous)
        keys = [box.open(each).decode() for each in sealed]
        attempt = row.attempts - row.attempts_before + 1
        return Due(row.id, row.event_id, attempt, row.next_attempt_at, webhook.url, keys)

    async def _fan_out(self) -> bool:
        """Makes deliveries of the events that have come since; False where there were none."""
        async with self._holding() as (_, repository):
            webhook, progress = await self._hold(repository)
            if not _is_on(webhook, progress):
                return False
            types = None if webhook.types is None else TypeFilter.parse(",".join(webhook.types))
            batch = await read_batch(
                self._reader(), self.project_id, after=progress.position, limit=FAN_OUT, types=types
            )
            if batch.upto <= progress.position:
                return False
            if progress.position < batch.oldest - 1:
                log.warning("webhook_events_lost", webhook_id=str(self.webhook_id), upto=batch.oldest - 1)
            await repository.fan_out(self.webhook_id, _wanted(webhook, batch.events), batch.upto)
            return True

    async def _attempt(self, due: Due) -> bool:
        body = await self._body(due.event_id)
        if body is None:
            outcome = Outcome(None, "the event is no longer kept")
            async with self._holding() as (_, repository):
                await self._hold(repository)
                await repository.finish(due.id, "failed", None, outcome.error)
            return True
        letter = Letter(due.url, signed_headers(due.keys, due.id, utc_now(), body), body)
        sending = send(self.resources.outgoing.client, letter, self.resources.settings.webhooks.timeout)
        try:
            outcome = await unless_stopped(self.stop, sending)
        except CutShortError:
            return False  # it stays due, and may come twice
        async with self._holding() as (session, repository):
            return await self._record(session, repository, due, outcome)

    async def _body(self, event_id: int) -> str | None:
        """The event as it stands on the stream; None where it is no longer kept."""
        batch = await read_batch(self._reader(), self.project_id, after=event_id - 1, limit=1)
        event = next((event for event in batch.events if event.id == event_id), None)
        return None if event is None else event.body

    async def _record(self, session: AsyncSession, repository: TurnRepository, due: Due, outcome: Outcome) -> bool:
        """What follows from it; whether the webhook goes on at once."""
        _, progress = await self._hold(repository)
        again = await repository.stay_due(due.id, due.since, outcome.status_code, outcome.error)
        if not again:
            await self._settle(repository, due, outcome)
        if outcome.succeeded:
            await repository.note_success(self.webhook_id)
            return True
        now = utc_now()
        disabled = self.rules.disables(outcome, progress.failing_at, now)
        pause = self.rules.pause(0 if again else progress.failures + 1, outcome.asked)
        if disabled is not None and progress.disabled_reason is None:
            self._tell(session, repository.scope, disabled)
        await repository.note_failure(
            self.webhook_id, progress.failing_at or now, pause, progress.disabled_reason or disabled
        )
        return disabled is None and pause is None

    async def _settle(self, repository: TurnRepository, due: Due, outcome: Outcome) -> None:
        wait = None if outcome.succeeded else self.rules.retry_in(due.attempt, outcome.asked)
        if wait is None:
            status = "succeeded" if outcome.succeeded else "failed"
            await repository.finish(due.id, status, outcome.status_code, outcome.error)
        else:
            await repository.postpone(due.id, wait, outcome.status_code, outcome.error)

    def _tell(self, session: AsyncSession, scope: ProjectScope, reason: str) -> None:
        log.warning("webhook_disabled", webhook_id=str(self.webhook_id), reason=reason)
        news = News("project.webhook_disabled", "webhook", str(self.webhook_id), {"reason": reason})
        EventLog(session, scope, self.resources.announcer).append(news)

    def _reader(self) -> ScopedReader:
        return ScopedReader(self.resources.reads, Principal.service(self.project_id))


def _wanted(webhook: Webhook, events: Sequence[WireEvent]) -> Sequence[WireEvent]:
    """Of the events that match."""
    return [event for event in events if event.type not in ON_REQUEST] if webhook.types is None else events


def _is_on(webhook: Webhook, progress: WebhookProgress) -> bool:
    return webhook.enabled and progress.disabled_reason is None
