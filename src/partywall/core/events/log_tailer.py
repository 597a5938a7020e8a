"""One log tailer for each project with subscriptions in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog

from partywall.core.background import Background
from partywall.core.cache_keys import CacheKey, events_channel
from partywall.core.concurrency_limiter import SharedLimiter, Slot
from partywall.core.db.read_pool import ReadPool
from partywall.core.db.scoped_access import ScopedReader
from partywall.core.errors import InvalidTokenError, TooManyRequestsError, UnavailableError
from partywall.core.events.batches import BATCH, Caller, EventBatch, read_batch
from partywall.core.events.listener import Listener
from partywall.core.events.pace import IN_A_ROW, DeliveryPace, cost
from partywall.core.events.past_reads import PastReads, event_reads, events_tenant
from partywall.core.events.subscription import DATABASE_ERRORS, EndReason, StreamOptions, Subscription
from partywall.core.log_masks import error_fields
from partywall.core.tenancy import Principal, ProjectNotFoundError, ProjectScope
from partywall.core.tenant import set_background_tenant
from partywall.core.tenant_semaphore import TenantSemaphore

log = structlog.get_logger(__name__)

RETRY_SECONDS: Final = 1.0
# The limit on events times readers in one read, but at least FEWEST events.
MOST_AT_ONCE: Final = 20_000
FEWEST: Final = 10
FULL_SECONDS: Final = 10
# Concurrent reads of new events, and those of one account.
NEW_READS, NEW_READS_EACH = 6, 2

# Numbers a project's committed events, and returns the last number.
type CatchUp = Callable[[ProjectScope], Awaitable[int]]


class TooManyStreamsError(TooManyRequestsError):
    """The process, the caller, the project or the account has as many open streams as allowed."""

    code = "too_many_streams"
    title = "Too many open streams"

    def __init__(self) -> None:
        super().__init__(FULL_SECONDS, "Close a stream, or try again later.")


class ServerDrainingError(UnavailableError):
    """The process is about to stop and accepts no new work."""

    code = "server_draining"
    title = "This process is about to stop"

    def __init__(self) -> None:
        super().__init__("Try again at once: another process will serve you.", headers={"Retry-After": "1"})


class LogTailer:
    """Reads a project's log once for all its subscriptions, and checks their callers' access with every batch.

    It reads when `look` is called, and after `poll` at the latest, so missed notifications do no harm.
    """

    def __init__(
        self,
        pool: ReadPool,
        scope: ProjectScope,
        position: int,
        poll: timedelta,
        reads: TenantSemaphore,
        pace: DeliveryPace,
    ) -> None:
        self._reads = reads
        self._pace = pace
        self._account: UUID | None = None
        self._project_id = scope.project_id
        self._reader = ScopedReader(pool, Principal.service(scope.project_id))
        self._poll = poll
        self._look = asyncio.Event()
        self.position = position
        self.subscriptions: set[Subscription] = set()

    def look(self) -> None:
        self._look.set()

    async def run(self) -> None:
        """Runs until there are no subscriptions."""
        set_background_tenant(self._reader.principal.tenant)
        while self.subscriptions:
            self._look.clear()
            try:
                await self._read()
            except ProjectNotFoundError:
                for subscription in self.subscriptions:
                    subscription.end(EndReason.REVOKED)
            except DATABASE_ERRORS as error:
                log.warning("log_tailer_interrupted", project_id=str(self._project_id), **error_fields(error))
                await asyncio.sleep(RETRY_SECONDS)
                continue
            await self._pause()

    async def _read(self) -> None:
        if self._account is None:
            self._account = await self._reader.account(self._project_id)
        async with self._reads.hold(events_tenant(self._account)):
            asked = {subscription.caller for subscription in self.subscriptions}
            limit = min(BATCH, max(FEWEST, MOST_AT_ONCE // max(1, len(self.subscriptions))))
            batch = await read_batch(self._reader, self._project_id, after=self.position, limit=limit, callers=asked)
        served, used = await self._hand_out(batch)
        # Callers that joined during the read were not checked: read the same events again for them.
        if self.subscriptions <= served:
            self.position = batch.upto
        if not self.subscriptions <= served or batch.upto < batch.last:
            self.look()
        if batch.events:
            await asyncio.sleep(self._pace.wait_after(self._account, used))

    async def _hand_out(self, batch: EventBatch) -> tuple[set[Subscription], float]:
        """Passes the batch to all checked callers, and returns them and the cost in seconds.

        Lets the event loop send what has been passed, and run other tasks, before the next part.
        """
        served: set[Subscription] = set()
        used = in_a_row = 0.0
        events, size = len(batch.events), batch.size
        for subscription in list(self.subscriptions):
            if subscription.caller not in batch.roles:
                continue
            subscription.check(batch.roles[subscription.caller])
            messages = subscription.absorb(batch)
            served.add(subscription)
            in_a_row += cost(events, size, messages)
            if in_a_row >= IN_A_ROW:
                used, in_a_row = used + in_a_row, 0.0
                await asyncio.sleep(0)
        return served, used + in_a_row

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._poll.total_seconds()):
                await self._look.wait()
        except TimeoutError:
            pass


class LogTailers:
    """The log tailers of this process. When `draining` is set, all subscriptions end with that reason."""

    def __init__(
        self,
        pool: ReadPool,
        background: Background,
        listener: Listener,
        catch_up: CatchUp,
        *,
        slots: SharedLimiter,
        each_principal: int,
        poll: timedelta,
        draining: asyncio.Event,
    ) -> None:
        self._slots = slots
        self._each_principal = each_principal
        self._new_reads = event_reads(NEW_READS, NEW_READS_EACH)
        self._pace = DeliveryPace()
        self._past_reads = PastReads(self._pace)
        self._pool = pool
        self._background = background
        self._listener = listener
        self._catch_up = catch_up
        self._poll = poll
        self._draining = draining
        self._tailers: dict[CacheKey, LogTailer] = {}
        self._subscriptions: dict[Subscription, Slot] = {}

    @property
    def followed(self) -> int:
        """The number of projects with a log tailer."""
        return len(self._tailers)

    async def follow(
        self, reader: ScopedReader, project_id: UUID, options: StreamOptions, after: int | None = None
    ) -> Subscription:
        """A subscription to events after `after`, or to new ones; close it when done.

        Raises ProjectNotFoundError without access, InvalidTokenError if the session of `options` is revoked, what
        `options.require` raises if the right is missing, TooManyStreamsError and ServerDrainingError.
        """
        self.require_staying()
        slot = self._slots.take()
        if slot is None:
            raise TooManyStreamsError
        try:
            subscription = await self._open(slot, reader, project_id, options, after)
        except BaseException:
            slot.release()
            raise
        self._subscriptions[subscription] = slot
        if self._draining.is_set():
            subscription.end(EndReason.DRAINING)
        return subscription

    async def _open(
        self, slot: Slot, reader: ScopedReader, project_id: UUID, options: StreamOptions, after: int | None
    ) -> Subscription:
        """Checks the principal's own limit before any read; those of project and account after the access check."""
        if not slot.counts_for(reader.principal, self._each_principal):
            raise TooManyStreamsError
        opened = await self._opened(reader, project_id, options)
        account = await reader.account(project_id)
        for key in (("project", project_id), ("account", account)):
            if not slot.counts_for(key, self._slots.third):
                raise TooManyStreamsError
        subscription = Subscription(reader, opened, options, self, account)
        if after is not None:
            subscription.resume(after, opened)
        return subscription

    async def _opened(self, reader: ScopedReader, project_id: UUID, options: StreamOptions) -> EventBatch:
        """Numbers the events committed so far first: for the new subscription they are past events."""
        opened = await _open(reader, project_id, options)
        last = await self._catch_up(opened.scope)
        return opened if last == opened.last else await _open(reader, project_id, options)

    def reading(self, account: UUID) -> AbstractAsyncContextManager[None]:
        return self._past_reads.turn(account)

    def charge(self, account: UUID, batch: EventBatch, messages: int) -> None:
        self._past_reads.charge(account, batch, messages)

    def look_again(self, concerns: Callable[[Caller], bool]) -> None:
        """Makes the log tailers of these callers check their access now."""
        for subscription in self._subscriptions:
            tailer = self._tailers.get(events_channel(subscription.scope))
            if tailer is not None and concerns(subscription.caller):
                tailer.look()

    def expire(self, concerns: Callable[[Caller], bool]) -> None:
        """Ends the subscriptions of these callers, who may reconnect with another credential."""
        for subscription in self._subscriptions:
            if concerns(subscription.caller):
                subscription.end(EndReason.EXPIRED)

    def require_staying(self) -> None:
        """Raises ServerDrainingError if the process is about to stop."""
        if self._draining.is_set():
            raise ServerDrainingError

    async def end_when_draining(self) -> None:
        await self._draining.wait()
        for subscription in self._subscriptions:
            subscription.end(EndReason.DRAINING)

    def join(self, subscription: Subscription) -> bool:
        name = events_channel(subscription.scope)
        tailer = self._tailers.get(name) or self._start(name, subscription)
        if subscription.position < tailer.position:
            return False
        tailer.subscriptions.add(subscription)
        return True

    def leave(self, subscription: Subscription) -> None:
        if (slot := self._subscriptions.pop(subscription, None)) is None:
            return
        slot.release()
        name = events_channel(subscription.scope)
        if (tailer := self._tailers.get(name)) is None:
            return
        tailer.subscriptions.discard(subscription)
        if not tailer.subscriptions:
            del self._tailers[name]
            self._listener.forget(name)
            tailer.look()

    def _start(self, name: CacheKey, subscription: Subscription) -> LogTailer:
        scope, position = subscription.scope, subscription.position
        tailer = LogTailer(self._pool, scope, position, self._poll, self._new_reads, self._pace)
        self._tailers[name] = tailer
        tailer.subscriptions.add(subscription)
        self._background.start(f"log tailer {name}", tailer.run)
        self._listener.listen(name, lambda _: tailer.look())
        return tailer


async def _open(reader: ScopedReader, project_id: UUID, options: StreamOptions) -> EventBatch:
    """The current state of the log, for a caller with the right to follow it and a session that is not revoked."""
    caller = Caller(reader.principal, options.session_id)
    opened = await read_batch(reader, project_id, after=0, limit=0, callers=(caller,))
    if opened.roles[caller] is None:
        raise InvalidTokenError
    options.require(opened.scope)
    return opened
