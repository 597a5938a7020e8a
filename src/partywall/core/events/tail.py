"""One tail for each project that somebody in this process follows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Final
from uuid import UUID

import asyncpg
import structlog

from partywall.core.background import Background
from partywall.core.cache_keys import CacheKey, events_channel
from partywall.core.db.scoped_read import ScopedReader
from partywall.core.errors import NotAuthenticatedError, TooManyRequestsError, UnavailableError
from partywall.core.events.batches import BATCH, Caller, EventBatch, read_batch
from partywall.core.events.feed import DATABASE_ERRORS, End, Feed, Terms
from partywall.core.events.listener import Listener
from partywall.core.occupancy import Places
from partywall.core.tenancy import Principal, ProjectNotFoundError, ProjectScope

log = structlog.get_logger(__name__)

RETRY_SECONDS: Final = 1.0
# Events times readers handed out in one go: some tens of milliseconds of the event loop.
MOST_AT_ONCE: Final = 100_000
FEWEST: Final = 10
FULL_SECONDS: Final = 10

type Pool = asyncpg.Pool[asyncpg.Record]


class TooManyStreamsError(TooManyRequestsError):
    """The process, or this caller in it, holds as many streams open as it may."""

    code = "too_many_streams"
    title = "Too many open streams"

    def __init__(self) -> None:
        super().__init__(FULL_SECONDS, "Close a stream, or come back later.")


class ServerDrainingError(UnavailableError):
    """The process is about to stop: whoever comes now is served by the next."""

    code = "server_draining"
    title = "This process is about to stop"

    def __init__(self) -> None:
        super().__init__("Come back at once: another process serves you.", headers={"Retry-After": "1"})


class Tail:
    """Reads a project's log once for all who follow it, and asks with every batch which of them still may.

    It reads when it is told to look, and at the latest after `poll`: nothing depends on having been told.
    """

    def __init__(self, pool: Pool, scope: ProjectScope, position: int, poll: timedelta) -> None:
        self._project_id = scope.project_id
        self._reader = ScopedReader(pool, Principal.service(scope.project_id))
        self._poll = poll
        self._look = asyncio.Event()
        self.position = position
        self.feeds: set[Feed] = set()

    def look(self) -> None:
        self._look.set()

    async def run(self) -> None:
        """Until nobody follows any more."""
        while self.feeds:
            self._look.clear()
            try:
                await self._read()
            except ProjectNotFoundError:
                for feed in self.feeds:
                    feed.end(End.REVOKED)
            except DATABASE_ERRORS as error:
                log.warning("tail_interrupted", project_id=str(self._project_id), error=type(error).__name__)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            await self._pause()

    async def _read(self) -> None:
        asked = {feed.caller for feed in self.feeds}
        limit = min(BATCH, max(FEWEST, MOST_AT_ONCE // max(1, len(self.feeds))))
        batch = await read_batch(self._reader, self._project_id, after=self.position, limit=limit, callers=asked)
        complete = True
        for feed in self.feeds:
            if feed.caller in asked:
                feed.check(batch.roles[feed.caller])
                feed.absorb(batch)
            else:
                complete = False
        # Who joined during the read is not known to be allowed: the same events are read again for them.
        if complete:
            self.position = batch.upto
        if not complete or len(batch.events) == limit:
            self.look()

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._poll.total_seconds()):
                await self._look.wait()
        except TimeoutError:
            pass


class Tails:
    """The tails of this process. When `draining` is set, every feed ends and says so."""

    def __init__(
        self,
        pool: Pool,
        background: Background,
        listener: Listener,
        *,
        places: Places[Principal],
        poll: timedelta,
        draining: asyncio.Event,
    ) -> None:
        self._places = places
        self._pool = pool
        self._background = background
        self._listener = listener
        self._poll = poll
        self._draining = draining
        self._tails: dict[CacheKey, Tail] = {}
        self._feeds: set[Feed] = set()

    @property
    def followed(self) -> int:
        """How many projects have a tail here."""
        return len(self._tails)

    async def follow(self, reader: ScopedReader, project_id: UUID, terms: Terms, after: int | None = None) -> Feed:
        """A feed of what lies behind `after`, or of what comes; close it when done.

        Raises ProjectNotFoundError for a stranger, NotAuthenticatedError where the session of `terms` is revoked, what
        `terms` raises where the right is lacking, TooManyStreamsError, and ServerDrainingError.
        """
        self.require_staying()
        if not self._places.take(reader.principal):
            raise TooManyStreamsError
        try:
            opened = await _open(reader, project_id, terms)
        except BaseException:
            self._places.give_back(reader.principal)
            raise
        feed = Feed(reader, opened, terms, self)
        if after is not None:
            feed.resume(after, opened)
        self._feeds.add(feed)
        if self._draining.is_set():
            feed.end(End.DRAINING)
        return feed

    def look_again(self, concerns: Callable[[Caller], bool]) -> None:
        """Something has changed for these callers: their tails ask now what they may still do."""
        for feed in self._feeds:
            if concerns(feed.caller) and (tail := self._tails.get(events_channel(feed.scope))) is not None:
                tail.look()

    def expire(self, concerns: Callable[[Caller], bool]) -> None:
        """Ends the feeds of these callers, who may come back with another credential."""
        for feed in self._feeds:
            if concerns(feed.caller):
                feed.end(End.EXPIRED)

    def require_staying(self) -> None:
        """Raises ServerDrainingError."""
        if self._draining.is_set():
            raise ServerDrainingError

    async def end_when_draining(self) -> None:
        await self._draining.wait()
        for feed in self._feeds:
            feed.end(End.DRAINING)

    def join(self, feed: Feed) -> bool:
        name = events_channel(feed.scope)
        tail = self._tails.get(name) or self._start(name, feed)
        if feed.position < tail.position:
            return False
        tail.feeds.add(feed)
        return True

    def leave(self, feed: Feed) -> None:
        if feed not in self._feeds:
            return
        self._feeds.discard(feed)
        self._places.give_back(feed.scope.principal)
        name = events_channel(feed.scope)
        tail = self._tails.get(name)
        if tail is None:
            return
        tail.feeds.discard(feed)
        if not tail.feeds:
            del self._tails[name]
            self._listener.forget(name)
            tail.look()

    def _start(self, name: CacheKey, feed: Feed) -> Tail:
        tail = self._tails[name] = Tail(self._pool, feed.scope, feed.position, self._poll)
        tail.feeds.add(feed)
        self._background.start(f"tail {name}", tail.run)
        self._listener.listen(name, lambda _: tail.look())
        return tail


async def _open(reader: ScopedReader, project_id: UUID, terms: Terms) -> EventBatch:
    """What the log is now, for a caller who may follow it and whose session still stands."""
    caller = Caller(reader.principal, terms.session_id)
    opened = await read_batch(reader, project_id, after=0, limit=0, callers=(caller,))
    if opened.roles[caller] is None:
        raise NotAuthenticatedError
    terms.require(opened.scope)
    return opened
