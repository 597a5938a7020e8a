"""Runs jobs and schedules until stopped."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final

import structlog

from partywall.core.jobs.crash_quarantine import CrashQuarantine
from partywall.core.jobs.execution import Attempt
from partywall.core.jobs.fair_scheduler import FairScheduler
from partywall.core.jobs.kinds import JobHandler
from partywall.core.jobs.scheduler import Scheduler, scheduled
from partywall.core.jobs.schedules import Schedule
from partywall.core.jobs.store import ClaimedJob, JobResult, JobStore
from partywall.core.jobs.unknown import UnknownKinds
from partywall.core.resources import Resources

log = structlog.get_logger(__name__)

RESTART_PAUSE_SECONDS: Final = 1.0
# The first pause after work; each further pause is four times as long, up to the poll interval.
SHORTEST_PAUSE_SECONDS: Final = 0.05
# How old a worker's list of waiting lines may get while it has work, and after it was woken.
LINES_SECONDS: Final = 0.25
LINES_SECONDS_WOKEN: Final = 0.05
# Tolerance for differences between this clock and the database's when waiting for a due time.
CLOCK_SECONDS: Final = 0.005


@dataclass(frozen=True, slots=True)
class JobRunner:
    resources: Resources
    handlers: Sequence[JobHandler]
    schedules: Sequence[Schedule] = ()

    async def run(self, stop: asyncio.Event) -> None:
        """Works until `stop` is set, then finishes running jobs. Waits while the database is unavailable."""
        handlers = [*self.handlers, scheduled(self.schedules)] if self.schedules else self.handlers
        worker = _Worker(self.resources, handlers, stop)
        with self.resources.waker.followed_by(worker.wake):
            async with asyncio.TaskGroup() as group:
                scheduler = Scheduler(worker.store, self.schedules, worker.wake)
                beside = (worker.beat(), worker.wake_to_stop(), scheduler.run(stop), self._unknown(handlers).run())
                helpers = [group.create_task(each) for each in beside]
                try:
                    await worker.work(group)
                finally:
                    for helper in helpers:
                        helper.cancel()

    def _unknown(self, handlers: Sequence[JobHandler]) -> UnknownKinds:
        known = [handler.kind.name for handler in handlers]
        return UnknownKinds(self.resources.sessions, known, self.resources.settings.jobs.heartbeat_timeout)


class _Worker:
    """Claims a job only if it can start at once, in a free slot of its kind."""

    def __init__(self, resources: Resources, handlers: Sequence[JobHandler], stop: asyncio.Event) -> None:
        limits = {each.kind.name: each.limits(resources) for each in handlers if each.limits is not None}
        self.store = JobStore(resources.reads, limits)
        self._resources = resources
        self._stop = stop
        self._handlers = {handler.kind.name: handler for handler in handlers}
        self._slots = {handler.kind.name: handler.slots(resources) for handler in handlers}
        shares = {each.kind.name: each.share for each in handlers if each.share is not None}
        self._turns = FairScheduler(
            self._handlers, {kind: max(1, self._slots[kind] // of) for kind, of in shares.items()},
            {kind: limit.each_account for kind, limit in limits.items()},
        )  # fmt: skip
        self._quarantine = CrashQuarantine()
        # Jobs running or not settled yet, by id and lease; a job may occur twice after its lease was lost.
        self._held: dict[tuple[int, object], ClaimedJob] = {}
        self._taken = Counter[str]()
        self._ended: list[JobResult] = []
        self._writing = asyncio.Lock()
        self._look = asyncio.Event()
        self._woken = True
        self._seen_at = self._lost_at = 0.0
        self._due_at = math.inf
        self._pause = SHORTEST_PAUSE_SECONDS

    def wake(self) -> None:
        self._woken = True
        self._look.set()

    async def wake_to_stop(self) -> None:
        await self._stop.wait()
        self._look.set()

    async def beat(self) -> None:
        """Renews the leases of all its jobs in one statement, so that no other worker takes them over."""
        while True:
            await asyncio.sleep(self._silent.total_seconds() / 4)
            if not self._held:
                continue
            try:
                async with self._writing:
                    await self.store.renew([*self._held.values()])
            except Exception as error:
                log.warning("heartbeat_missed", exc_info=error)

    async def work(self, group: asyncio.TaskGroup) -> None:
        while not self._stop.is_set() or self._held:
            self._look.clear()
            try:
                await self._settle()
                pause = self._last_pause() if self._stop.is_set() else await self._take_some(group)
            except Exception as error:
                log.warning("queue_unavailable", exc_info=error)
                if self._stop.is_set() and len(self._ended) == len(self._held):
                    return  # their leases expire
                await asyncio.sleep(RESTART_PAUSE_SECONDS)
                continue
            await self._wait(pause)

    def _last_pause(self) -> float:
        """A job that ends wakes the worker; without running jobs it must not wait."""
        return self._poll if self._held else 0.0

    @property
    def _silent(self) -> timedelta:
        return self._resources.settings.jobs.heartbeat_timeout

    @property
    def _poll(self) -> float:
        return self._resources.settings.jobs.poll_interval.total_seconds()

    async def _wait(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        try:
            async with asyncio.timeout(seconds):
                await self._look.wait()
        except TimeoutError:
            pass

    async def _settle(self) -> None:
        ended = self._ended
        if not ended:
            return
        self._ended = []
        try:
            async with self._writing:
                await self.store.settle(ended)
        except BaseException:
            self._ended = ended + self._ended
            raise
        left = [self._forget(job.id, job.lease) for job in ended]
        if not self.store.limits.keys().isdisjoint(job.kind for job in left):
            self._resources.waker.wake()  # another worker may have a free slot for a job that the limit now allows

    async def _take_some(self, group: asyncio.TaskGroup) -> float:
        """Starts jobs in free slots. Returns how long to wait, unless woken, before the next look."""
        free = {kind: slots - self._taken[kind] for kind, slots in self._slots.items() if slots > self._taken[kind]}
        if self._is_time_to_look():
            await self._look_around()
        if not free:
            return self._poll
        begun = await self._take_lost(free, group)
        if chosen := self._turns.choose(free):
            jobs = await self.store.take(chosen)
            self._turns.taken(chosen, Counter((job.kind, job.project) for job in jobs))
            for job in jobs:
                self._begin(job, group)
            begun = begun or bool(jobs)
        if begun:
            self._pause = SHORTEST_PAUSE_SECONDS
        return 0.0 if begun else self._idle_pause()

    def _idle_pause(self) -> float:
        """The next, longer pause, at most until a job is due or a worker's job counts as lost."""
        pause, self._pause = min(self._pause, self._poll), min(4 * self._pause, self._poll)
        now = time.monotonic()
        if not self._quarantine.slot_is_free:
            pause = min(pause, LINES_SECONDS)
        # Jobs due since the last look count as due now; lost jobs have been requested already.
        pause = min(pause, max(0.0, self._due_at - now) + CLOCK_SECONDS)
        return pause if self._lost_at <= now else min(pause, self._lost_at - now + CLOCK_SECONDS)

    def _is_time_to_look(self) -> bool:
        age = time.monotonic() - self._seen_at
        return self._turns.is_empty or age >= (LINES_SECONDS_WOKEN if self._woken else LINES_SECONDS)

    async def _look_around(self) -> None:
        self._woken = False
        asked = self._turns.unknown()
        seen = await self.store.look(asked, self._silent)
        self._turns.found(asked, seen.lines)
        self._seen_at = time.monotonic()
        self._due_at, self._lost_at = self._moment(seen.due_in), self._moment(seen.lost_in)

    def _moment(self, left: timedelta | None) -> float:
        return math.inf if left is None else self._seen_at + left.total_seconds()

    async def _take_lost(self, free: dict[str, int], group: asyncio.TaskGroup) -> bool:
        """Takes over one job of a dead worker, if no other such job is running."""
        if not self._quarantine.slot_is_free or time.monotonic() < self._lost_at:
            return False
        held = [job.id for job in self._held.values()]
        lost = await self.store.claim_lost(list(free), self._silent, held)
        if not lost:
            self._lost_at = math.inf  # until the next look
        for job in lost:
            free[job.kind] -= 1
            self._quarantine.take(job.id)
            self._begin(job, group)
        return bool(lost)

    def _begin(self, job: ClaimedJob, group: asyncio.TaskGroup) -> None:
        self._held[job.id, job.lease] = job
        self._taken[job.kind] += 1
        self._turns.begin(job.kind, job.whose)
        group.create_task(self._run(job))

    async def _run(self, job: ClaimedJob) -> None:
        attempt = Attempt(
            self._resources, self._handlers[job.kind], job, self._stop, partial(self._clear_quarantined, job.id),
            partial(self._is_crowded, job.kind),
        )  # fmt: skip
        try:
            ended = await attempt.run()
        except BaseException:
            self._forget(job.id, job.lease)  # cancelled: without renewal, another worker will take it over
            raise
        if ended is None:
            self._forget(job.id, job.lease)
        else:
            self._ended.append(ended)
        self._look.set()

    def _forget(self, job_id: int, lease: object) -> ClaimedJob:
        job = self._held.pop((job_id, lease))
        self._taken[job.kind] -= 1
        self._turns.end(job.kind, job.whose)
        self._clear_quarantined(job_id)
        return job

    def _is_crowded(self, kind: str) -> bool:
        """Whether all slots are taken and an account without any waits: jobs that can end early should do so."""
        return self._taken[kind] >= self._slots[kind] and self._turns.has_new_tenant(kind)

    def _clear_quarantined(self, job_id: int) -> None:
        if self._quarantine.clear(job_id):
            self._look.set()
