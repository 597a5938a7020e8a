from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Final
from uuid import UUID

import asyncpg
import structlog

from partywall.core.db.read_pool import ReadPool
from partywall.core.errors import PartywallError
from partywall.core.events import sequence
from partywall.core.events.notifier import EventNotifier
from partywall.core.events.sequence import NumberedEvents
from partywall.core.tenancy import ProjectScope

log = structlog.get_logger(__name__)

# Between two rounds, so that what many writers commit at once is numbered and announced at once.
GATHER_SECONDS: Final = 0.01
RETRY_SECONDS: Final = 1.0
# How often a process looks for what others have left: at first, and after a while of finding nothing.
SHORTEST_LOOK_SECONDS, LONGEST_LOOK_SECONDS = 0.25, 2.0
# A round takes so many projects, and about so many events of all of them together.
PROJECTS: Final = 50
EVENTS: Final = 1000
# What a reader waits for who is to see whatever was written before.
CAUGHT_UP_EVENTS: Final = 2000
ROUNDS_AT_THE_END: Final = 100

_FIRST: Final = UUID(int=0)


class EventSequencer:
    """Numbers the events of committed transactions, in the background, and has the readers told.

    Every process numbers what its own writers have committed, and looks now and then for what one that has died has
    left. Several may do so at once: a project's counter is locked for the length of a statement, and skipped by others.
    Workers are woken by `wake` where jobs were asked for with the numbers; it neither waits nor fails.
    """

    def __init__(self, pool: ReadPool, notifier: EventNotifier, wake: Callable[[], None] = lambda: None) -> None:
        self._pool = pool
        self._notifier = notifier
        self._wake_workers = wake
        # In the order in which they are served; one that has more than its share goes to the end.
        self._waiting: dict[UUID, None] = {}
        # Asked for by statements whose answers were lost: they may have numbered something that nobody was told of.
        self._unpublished: set[UUID] = set()
        self._wake = asyncio.Event()
        self._projects = PROJECTS
        self._look_seconds = SHORTEST_LOOK_SECONDS
        self._look_at = 0.0
        self._looked_upto = _FIRST

    async def announce(self, scope: ProjectScope, appended: int) -> None:
        """After the commit of a transaction that has appended so many events; with none, readers are told at once."""
        if appended:
            self._wait_for(scope.project_id)
        else:
            self._notifier.notify(scope, 0)

    async def catch_up(self, scope: ProjectScope) -> int:
        """Numbers what was committed to the project by now; the number of its last event."""
        last, numbered, jobs = await sequence.catch_up(self._pool, scope.project_id, CAUGHT_UP_EVENTS)
        if numbered:
            self._notifier.notify(scope, last)
        if jobs:
            self._wake_workers()
        return last

    async def run(self) -> None:
        while True:
            await self._pause()
            try:
                await self._round()
            except PartywallError as error:
                log.warning("events_not_numbered", projects=len(self._waiting), error=type(error).__name__)
                await asyncio.sleep(RETRY_SECONDS)
            await asyncio.sleep(GATHER_SECONDS)

    async def flush(self) -> None:
        """Numbers and tells what waits here. What is left after some rounds is for other processes to find."""
        try:
            for _ in range(ROUNDS_AT_THE_END):
                if not self._waiting:
                    break
                await self._number()
        except PartywallError as error:
            log.warning("events_not_numbered", projects=len(self._waiting), error=type(error).__name__)
        await self._notifier.flush()

    async def _pause(self) -> None:
        """Until somebody has committed, or it is time to look."""
        if self._waiting:
            return
        self._wake.clear()
        try:
            async with asyncio.timeout_at(self._look_at):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _round(self) -> None:
        if asyncio.get_running_loop().time() >= self._look_at:
            await self._look()
        if self._waiting:
            await self._number()

    async def _look(self) -> None:
        """For any project with something pending, some at a time, one look after the other."""
        try:
            found = await sequence.pending(self._pool, self._looked_upto, PROJECTS)
            self._looked_upto = found[-1] if len(found) == PROJECTS else _FIRST
            for project_id in found:
                self._wait_for(project_id)
            self._look_seconds = SHORTEST_LOOK_SECONDS if found else min(2 * self._look_seconds, LONGEST_LOOK_SECONDS)
        finally:
            self._look_at = asyncio.get_running_loop().time() + self._look_seconds

    async def _number(self) -> None:
        """One round of those that have waited longest."""
        projects = list(islice(self._waiting, self._projects))
        most = EVENTS // len(projects)
        for project_id in projects:
            del self._waiting[project_id]
        try:
            numbered = await sequence.number(self._pool, projects, most)
        except asyncpg.PostgresError as error:
            self._fail(projects, error)
            return
        except BaseException:
            self._requeue(projects)
            raise
        self._projects = min(2 * self._projects, PROJECTS)
        self._tell(projects, numbered, most)

    def _requeue(self, projects: Sequence[UUID]) -> None:
        self._unpublished.update(projects)
        self._waiting.update(dict.fromkeys(projects))

    def _fail(self, projects: Sequence[UUID], error: asyncpg.PostgresError) -> None:
        """What is pending in one of them cannot be numbered.

        Each is asked for alone from now on. The one that fails again is left for the next look: it holds up no other.
        """
        self._projects = 1
        if len(projects) > 1:
            self._requeue(projects)
        else:
            log.error("events_cannot_be_numbered", project_id=str(projects[0]), exc_info=error)

    def _tell(self, projects: Sequence[UUID], numbered: Sequence[NumberedEvents], most: int) -> None:
        if any(each.jobs for each in numbered):
            self._wake_workers()
        for each in numbered:
            if each.busy or each.events >= most:
                self._wait_for(each.project_id)
            if each.scope is not None and (each.events or each.project_id in self._unpublished):
                self._notifier.notify(each.scope, each.last or 0)
        self._unpublished.difference_update({*projects} - {each.project_id for each in numbered if each.busy})

    def _wait_for(self, project_id: UUID) -> None:
        self._waiting[project_id] = None
        self._wake.set()
