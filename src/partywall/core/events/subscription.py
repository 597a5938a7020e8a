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
from partywall.core.db.scoped_read import ScopedReader
from partywall.core.errors import PartywallError, UnavailableError
from partywall.core.events import frames
from partywall.core.events.batches import Caller, EventBatch, WireEvent, read_batch
from partywall.core.events.filters import TypeFilter
from partywall.core.log_masks import error_fields
from partywall.core.tenancy import ProjectScope, make_scope

log = structlog.get_logger(__name__)

# More than one transaction's worth: what a reader may lag behind before it is sent back to the table.
QUEUE_LIMIT: Final = 1000
QUEUE_BYTES: Final = 1024 * 1024
# What is handed to a connection at once: a reader that stops holds no more than that of it.
CHUNK_BYTES: Final = 64 * 1024
DATABASE_ERRORS: Final = (UnavailableError, asyncpg.PostgresError)


class EndReason(StrEnum):
    """Why a feed ended; all but the last two invite the client to come back."""

    EXPIRED = "credential_expired"
    DRAINING = "server_draining"
    SLOW = "too_slow"
    UNAVAILABLE = "unavailable"
    ROLE_CHANGED = "role_changed"
    REVOKED = "revoked"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """On what terms a caller follows.

    `require` raises where a role lacks the right. The credential is good until `expires_at` (Unix time), and as long as
    the session that it belongs to is not revoked. `subject` is the id of the one subject that is followed.
    """

    require: Callable[[ProjectScope], None]
    expires_at: float
    heartbeat: timedelta
    session_id: UUID | None = None
    types: TypeFilter | None = None
    subject: str | None = None

    def admit(self, event: WireEvent) -> bool:
        if self.subject is not None and event.subject != self.subject:
            return False
        return self.types is None or self.types.admits(event.type)


class Source(Protocol):
    """Where feeds come together; implemented by the registry of tails."""

    def join(self, subscription: Subscription) -> bool:
        """Feeds it from the project's tail from now on; False where the tail is ahead of it."""
        ...

    def leave(self, subscription: Subscription) -> None: ...

    def reading(self, account: UUID) -> AbstractAsyncContextManager[None]:
        """A turn to read from the table what is past."""
        ...


class Subscription:
    """One caller's view of a project's log: from the table until it has caught up, from then on from the tail.

    `position` is the number up to which everything is delivered, queued or not asked for; both sources only ever add
    what lies behind it, so the handing over loses and repeats nothing.
    """

    __slots__ = (
        "_account", "_behind", "_bytes", "_end", "_joined", "_queue", "_reader", "_said", "_source", "_terms",
        "_waiter", "position", "scope",
    )  # fmt: skip

    def __init__(
        self, reader: ScopedReader, opened: EventBatch, options: StreamOptions, source: Source, account: UUID
    ) -> None:
        self.scope = opened.scope
        self._account = account
        self.position = opened.last
        self._reader = reader
        self._terms = options
        self._source = source
        self._joined = False
        self._behind = False
        self._queue: list[tuple[int, bytes]] = []  # for as many streams a deque is too large
        self._bytes = 0
        self._waiter: asyncio.Future[bool] | None = None
        self._end: EndReason | None = None
        self._said = False

    @property
    def ended(self) -> EndReason | None:
        """Why it is over; None while it goes on."""
        return self._end

    @property
    def project_id(self) -> UUID:
        return self.scope.project_id

    @property
    def caller(self) -> Caller:
        return Caller(self.scope.principal, self._terms.session_id)

    def resume(self, after: int, opened: EventBatch) -> None:
        """Starts behind `after` instead of at the newest event; a number that was never given is not trusted."""
        self.position = after
        if after > opened.last:
            self._reset(opened.oldest)
        self._behind = True

    def absorb(self, batch: EventBatch) -> None:
        """Queues what is new and asked for; ends a feed whose caller does not keep up."""
        if self._end is not None:
            return
        if self._bytes > QUEUE_BYTES:
            self.end(EndReason.SLOW)
            return
        if self.position < batch.oldest - 1:
            self._reset(batch.oldest)
        for event in batch.events:
            if event.id > self.position and self._terms.admit(event):
                self._add(event.id, event.frame)
        self.position = max(self.position, batch.upto)
        if len(self._queue) > QUEUE_LIMIT:
            self.end(EndReason.SLOW)
        elif self._queue:
            self._wake()

    def check(self, role: str | None) -> None:
        """Ends the feed where what its caller is now is not enough to go on reading, or not what it was opened with."""
        try:
            scope = make_scope(self.project_id, self.scope.principal, role)
            self._terms.require(scope)
        except PartywallError:
            self.end(EndReason.REVOKED)
            return
        if scope.role is not self.scope.role:
            self.end(EndReason.ROLE_CHANGED)

    def end(self, reason: EndReason) -> None:
        """What is not delivered by then is not kept: the next stream takes up before it."""
        if self._end is None:
            self._end = reason
            if self._queue:
                self.position = self._queue[0][0] - 1
                self._queue.clear()
            self._wake()

    def close(self) -> None:
        self.end(EndReason.GONE)
        self._source.leave(self)

    async def next(self) -> bytes | None:
        """What to send now as server-sent events, waiting for it if need be; None when the stream is over."""
        found = await self.frames()
        if found is None:
            return None
        return b"".join(found) if found else frames.KEEP_ALIVE

    async def frames(self) -> list[bytes] | None:
        """The events to send now, none where a sign of life is due; None when the stream is over."""
        while True:
            if self._end is None and unix_time() >= self._terms.expires_at:
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
        try:
            async with self._source.reading(self._account):
                batch = await read_batch(
                    self._reader,
                    self.project_id,
                    after=self.position,
                    types=self._terms.types,
                    subject=self._terms.subject,
                    callers=(self.caller,),
                )
        except DATABASE_ERRORS as error:
            log.warning("feed_interrupted", **error_fields(error))
            self.end(EndReason.UNAVAILABLE)
        except PartywallError:
            self.end(EndReason.REVOKED)
        else:
            self.check(batch.roles[self.caller])
            self.absorb(batch)
            self._behind = batch.upto < batch.last

    async def _woken(self) -> bool:
        """False when it is time for a sign of life."""
        left = self._terms.expires_at - unix_time()
        beat = self._terms.heartbeat.total_seconds()
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
        """Says once where to take up again: before whatever was not delivered."""
        said, self._said = self._said, True
        if said or self._end in (None, EndReason.REVOKED, EndReason.GONE):
            return None
        return [frames.reconnect(self.project_id, self.position, str(self._end))]
