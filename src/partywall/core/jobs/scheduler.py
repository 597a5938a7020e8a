"""Schedules: each tick becomes one job, enqueued by the worker that sees it first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from croniter import croniter

from partywall.core.clock import utc_now
from partywall.core.jobs.context import JobContext
from partywall.core.jobs.kinds import JobHandler, JobKind, handles
from partywall.core.jobs.payloads import JobPayload
from partywall.core.jobs.schedules import Schedule
from partywall.core.jobs.store import JobStore

log = structlog.get_logger(__name__)

# How late a tick may be noticed after the clock was set.
LONGEST_SLEEP: Final = timedelta(seconds=60)
RETRY_PAUSE: Final = timedelta(seconds=1)


class ScheduledRun(JobPayload):
    name: str


# Failures wait for the next tick; further attempts are only for crashed workers.
SCHEDULED_RUN: Final = JobKind("scheduled_run", ScheduledRun, max_attempts=3)


def next_tick(schedule: Schedule, after: datetime) -> datetime:
    tick: datetime = croniter(schedule.cron, after).get_next(datetime)
    return tick


def last_tick(schedule: Schedule, before: datetime) -> datetime:
    tick: datetime = croniter(schedule.cron, before).get_prev(datetime)
    return tick


def scheduled(schedules: Sequence[Schedule]) -> JobHandler:
    """Runs scheduled jobs. Each schedule has a slot, so that one that hangs does not block the others."""
    by_name = {schedule.name: schedule for schedule in schedules}

    async def run(context: JobContext, payload: ScheduledRun) -> None:
        schedule = by_name.get(payload.name)
        if schedule is None:  # of another version
            log.warning("schedule_unknown", schedule=payload.name)
            return
        try:
            await schedule.run(context.resources)
        except Exception:
            log.exception("schedule_failed", schedule=schedule.name)

    return handles(SCHEDULED_RUN, run, concurrency=max(1, len(by_name)))


@dataclass(frozen=True, slots=True)
class Scheduler:
    """Enqueues a job for each tick, and one at the start for ticks missed while no worker ran."""

    store: JobStore
    schedules: Sequence[Schedule]
    wake: Callable[[], None]

    async def run(self, stop: asyncio.Event) -> None:
        now = utc_now()
        due = {schedule.name: last_tick(schedule, now) for schedule in self.schedules}
        while self.schedules and not stop.is_set():
            if due and not await self._fire(due):
                await _sleep(stop, RETRY_PAUSE)
                continue
            ticks = {schedule.name: next_tick(schedule, now) for schedule in self.schedules}
            await _sleep(stop, min(min(ticks.values()) - utc_now(), LONGEST_SLEEP))
            now = utc_now()
            due = {
                schedule.name: max(ticks[schedule.name], last_tick(schedule, now))
                for schedule in self.schedules
                if ticks[schedule.name] <= now
            }

    async def _fire(self, due: Mapping[str, datetime]) -> bool:
        try:
            await self.store.fire(due, SCHEDULED_RUN.name)
        except Exception as error:
            log.warning("schedules_not_fired", exc_info=error)
            return False
        self.wake()
        return True


async def _sleep(stop: asyncio.Event, pause: timedelta) -> None:
    try:
        async with asyncio.timeout(max(pause.total_seconds(), 0.0)):
            await stop.wait()
    except TimeoutError:
        pass
