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

# Pause between two rounds, so that concurrent commits are numbered and published together.
GATHER_SECONDS: Final = 0.01
RETRY_SECONDS: Final = 1.0
# How often a process looks for events left by others: at first, and after finding none for a while.
SHORTEST_LOOK_SECONDS, LONGEST_LOOK_SECONDS = 0.25, 2.0
# Limits of one round: projects, and roughly the events of all of them together.
PROJECTS: Final = 50
EVENTS: Final = 1000
# The most events numbered while a reader waits to see all earlier writes.
CAUGHT_UP_EVENTS: Final = 2000
ROUNDS_AT_THE_END: Final = 100

_FIRST: Final = UUID(int=0)


class EventSequencer:
    """Numbers the events of committed transactions in the background, and notifies readers.

    Each process numbers the events that its own writers committed, and regularly looks for events left by dead
    processes. Several may do so at once: each statement locks the project's counter, and others skip it. `wake` wakes
    workers when jobs were enqueued with the numbers; it neither waits nor fails.
    """

    def __init__(self, pool: ReadPool, notifier: EventNotifier, wake: Callable[[], None] = lambda: None) -> None:
        self._pool = pool
        self._notifier = notifier
        self._wake_workers = wake
        # In serving order; a project with more events than its share goes to the end.
        self._waiting: dict[UUID, None] = {}
        # Projects of statements whose results were lost: numbered events may not have been published.
        self._unpublished: set[UUID] = set()
        self._wake = asyncio.Event()
        self._projects = PROJECTS
        self._look_seconds = SHORTEST_LOOK_SECONDS
        self._look_at = 0.0
        self._looked_upto = _FIRST

    def announce(self, scope: ProjectScope, appended: int) -> None:
        """Call after committing a transaction that appended so many events; with 0, readers are notified at once."""
        if appended:
            self._wait_for(scope.project_id)
        else:
            self._notifier.notify(scope, 0)

    async def catch_up(self, scope: ProjectScope) -> int:
        """Numbers the project's committed events. Returns the number of its last event."""
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
        """Numbers and publishes what is pending here. Other processes find what is left after some rounds."""
        try:
            for _ in range(ROUNDS_AT_THE_END):
                if not self._waiting:
                    break
                await self._number()
        except PartywallError as error:
            log.warning("events_not_numbered", projects=len(self._waiting), error=type(error).__name__)
        await self._notifier.flush()

    async def _pause(self) -> None:
        """Waits until there are commits to number, or it is time to look for left events."""
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
        """Looks for projects with pending events, a page of them at a time."""
        try:
            found = await sequence.pending(self._pool, self._looked_upto, PROJECTS)
            self._looked_upto = found[-1] if len(found) == PROJECTS else _FIRST
            for project_id in found:
                self._wait_for(project_id)
            self._look_seconds = SHORTEST_LOOK_SECONDS if found else min(2 * self._look_seconds, LONGEST_LOOK_SECONDS)
        finally:
            self._look_at = asyncio.get_running_loop().time() + self._look_seconds

    async def _number(self) -> None:
        """One round for the projects that have waited longest."""
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
        """Handles pending events that cannot be numbered in one of the projects.

        Each project is now tried alone. One that fails again is left for the next look, so that it blocks no other.
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
