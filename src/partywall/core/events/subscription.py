"""One client's stream of a project's events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final, Protocol
from uuid import UUID

import asyncpg
import structlog

from partywall.core.clock import unix_time
from partywall.core.db.scoped_access import ScopedReader
from partywall.core.errors import PartywallError, UnavailableError
from partywall.core.events import frames
from partywall.core.events.batches import Caller, EventBatch, WireEvent, read_batch
from partywall.core.events.filters import TypeFilter
from partywall.core.log_masks import error_fields
from partywall.core.tenancy import ProjectScope, make_scope

log = structlog.get_logger(__name__)

# How far a reader may lag before its stream ends; more than one transaction's events.
QUEUE_LIMIT: Final = 1000
QUEUE_BYTES: Final = 1024 * 1024
# Bytes passed to a connection at once, which is what a stalled reader holds in memory.
CHUNK_BYTES: Final = 64 * 1024
DATABASE_ERRORS: Final = (UnavailableError, asyncpg.PostgresError)


class EndReason(StrEnum):
    """Why a subscription ended; after all but the last two, the client may reconnect."""

    EXPIRED = "credential_expired"
    DRAINING = "server_draining"
    SLOW = "too_slow"
    UNAVAILABLE = "unavailable"
    ROLE_CHANGED = "role_changed"
    REVOKED = "revoked"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """The options of a subscription.

    `require` raises if the role lacks the right. The credential is valid until `expires_at` (Unix time), unless its
    session is revoked. `types` and `subject` (an id) filter events. With `singly`, each event is sent as a message of
    its own, which takes longer.
    """

    require: Callable[[ProjectScope], None]
    expires_at: float
    heartbeat: timedelta
    session_id: UUID | None = None
    types: TypeFilter | None = None
    subject: str | None = None
    singly: bool = False

    def admit(self, event: WireEvent) -> bool:
        if self.subject is not None and event.subject != self.subject:
            return False
        return self.types is None or self.types.admits(event.type)


class Source(Protocol):
    """Where subscriptions get their events; implemented by `LogTailers`."""

    def join(self, subscription: Subscription) -> bool:
        """Adds it to the project's log tailer. Returns False if the tailer is ahead of it."""
        ...

    def leave(self, subscription: Subscription) -> None: ...

    def reading(self, account: UUID) -> AbstractAsyncContextManager[None]:
        """The account's turn and a slot for reading past events from the table."""
        ...

    def charge(self, account: UUID, batch: EventBatch, messages: int) -> None:
        """Counts a read of past events and their delivery, `messages` of them singly."""
        ...


class Subscription:
    """One caller's view of a project's log: read from the table until it has caught up, then from the log tailer.

    All events up to the number `position` are delivered, queued or filtered out. Both sources add only later events, so
    the handover neither loses nor repeats any.
    """

    __slots__ = (
        "_account", "_behind", "_bytes", "_close_sent", "_end", "_joined", "_options", "_queue", "_reader", "_source",
        "_turn", "_waiter", "position", "scope",
    )  # fmt: skip

    def __init__(
        self, reader: ScopedReader, opened: EventBatch, options: StreamOptions, source: Source, account: UUID
    ) -> None:
        self.scope = opened.scope
        self._account = account
        self.position = opened.last
        self._reader = reader
        self._options = options
        self._source = source
        self._joined = False
        self._behind = False
        self._queue: list[tuple[int, bytes]] = []  # a deque takes too much memory for this many streams
        self._bytes = 0
        self._waiter: asyncio.Future[bool] | None = None
        self._turn: asyncio.Timeout | None = None  # while it waits for its turn to read past events
        self._end: EndReason | None = None
        self._close_sent = False

    @property
    def ended(self) -> EndReason | None:
        """Why it ended; None while it is active."""
        return self._end

    @property
    def project_id(self) -> UUID:
        return self.scope.project_id

    @property
    def caller(self) -> Caller:
        return Caller(self.scope.principal, self._options.session_id)

    def resume(self, after: int, opened: EventBatch) -> None:
        """Starts after `after` instead of at the newest event; resets if that number was never assigned."""
        self.position = after
        if after > opened.last:
            self._reset(opened.oldest)
        self._behind = True

    def absorb(self, batch: EventBatch) -> int:
        """Queues new events that pass the filters; ends the subscription if its caller does not keep up.

        Returns how many events are to be sent singly.
        """
        if self._end is not None:
            return 0
        if self._bytes > QUEUE_BYTES:
            self.end(EndReason.SLOW)
            return 0
        before = len(self._queue)
        if self.position < batch.oldest - 1:
            self._reset(batch.oldest)
        for event in batch.events:
            if event.id > self.position and self._options.admit(event):
                self._add(event.id, event.frame)
        self.position = max(self.position, batch.upto)
        messages = len(self._queue) - before if self._options.singly else 0
        if len(self._queue) > QUEUE_LIMIT:
            self.end(EndReason.SLOW)
        elif self._queue:
            self._wake()
        return messages

    def check(self, role: str | None) -> None:
        """Ends the subscription if the caller's current role lacks the right, or differs from the one at the start."""
        try:
            scope = make_scope(self.project_id, self.scope.principal, role)
            self._options.require(scope)
        except PartywallError:
            self.end(EndReason.REVOKED)
            return
        if scope.role is not self.scope.role:
            self.end(EndReason.ROLE_CHANGED)

    def end(self, reason: EndReason) -> None:
        """Ends it. Undelivered events are dropped; the next stream resumes before them."""
        if self._end is None:
            self._end = reason
            if self._queue:
                self.position = self._queue[0][0] - 1
                self._queue.clear()
            self._wake()
            if self._turn is not None and not self._turn.expired():
                self._turn.reschedule(0)

    def close(self) -> None:
        self.end(EndReason.GONE)
        self._source.leave(self)

    async def next(self) -> bytes | None:
        """The server-sent events to send next, waiting for them if necessary; None when the stream is over."""
        found = await self.frames()
        if found is None:
            return None
        return b"".join(found) if found else frames.KEEP_ALIVE

    async def frames(self) -> list[bytes] | None:
        """The frames to send next; empty if a keep-alive is due, None when the stream is over."""
        while True:
            if self._end is None and unix_time() >= self._options.expires_at:
                self.end(EndReason.EXPIRED)
            if self._end is not None:
                return self._close_message()
            if self._queue:
                return self._take()
            self._joined = self._joined or (not self._behind and self._source.join(self))
            if not self._joined:
                await self._catch_up()
            elif not await self._woken():
                return []

    async def _catch_up(self) -> None:
        left = self._options.expires_at - unix_time()
        try:
            async with asyncio.timeout(left) as self._turn, self._source.reading(self._account):
                self._turn.reschedule(None)
                self._turn = None
                batch = await read_batch(
                    self._reader,
                    self.project_id,
                    after=self.position,
                    types=self._options.types,
                    subject=self._options.subject,
                    callers=(self.caller,),
                )
        except TimeoutError:
            return  # it has ended or expired
        except DATABASE_ERRORS as error:
            log.warning("subscription_interrupted", **error_fields(error))
            self.end(EndReason.UNAVAILABLE)
        except PartywallError:
            self.end(EndReason.REVOKED)
        else:
            self.check(batch.roles[self.caller])
            self._source.charge(self._account, batch, self.absorb(batch))
            self._behind = batch.upto < batch.last
        finally:
            self._turn = None

    async def _woken(self) -> bool:
        """Waits for events; False when a keep-alive is due."""
        left = self._options.expires_at - unix_time()
        beat = self._options.heartbeat.total_seconds()
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        timer = loop.call_later(max(0.0, min(left, beat)), self._wake, left <= beat)
        try:
            return await self._waiter
        finally:
            self._waiter = None
            timer.cancel()

    def _wake(self, for_events: bool = True) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(for_events)

    def _take(self) -> list[bytes]:
        taken: list[bytes] = []
        size = 0
        for _, frame in self._queue:
            if taken and size + len(frame) > CHUNK_BYTES:
                break
            taken.append(frame)
            size += len(frame)
        del self._queue[: len(taken)]
        self._bytes -= size
        return taken

    def _add(self, number: int, frame: bytes) -> None:
        self._queue.append((number, frame))
        self._bytes += len(frame)

    def _reset(self, oldest: int) -> None:
        self._add(oldest - 1, frames.reset(self.project_id, self.position, oldest))
        self.position = oldest - 1

    def _close_message(self) -> list[bytes] | None:
        """The last frame, sent once: it says where to resume, before anything undelivered."""
        sent, self._close_sent = self._close_sent, True
        if sent or self._end in (None, EndReason.REVOKED, EndReason.GONE):
            return None
        return [frames.reconnect(self.project_id, self.position, str(self._end))]
