from __future__ import annotations

import asyncio
import functools
import os
import signal
from typing import Final

import uvloop

from partywall.core.background import keep
from partywall.core.jobs.runner import JobRunner
from partywall.core.memory import exempt_from_collection, release_memory
from partywall.core.retention import work as retention
from partywall.core.shared_threads import shorten_switch_interval
from partywall.core.watchdog import watched
from partywall.features.work import WORK
from partywall.logs import configure_logging
from partywall.resources import open_resources
from partywall.settings import Settings

# Gives the API priority on a shared machine.
NICER: Final = 5


async def work(settings: Settings, stop: asyncio.Event) -> None:
    """Runs every slice's jobs, schedules and loops, and the core's own schedules, until `stop` is set."""
    handlers = [handler for work in WORK for handler in work.jobs]
    schedules = [schedule for work in (retention, *WORK) for schedule in work.schedules]
    async with open_resources(settings, application="partywall-worker", background=True) as resources:
        exempt_from_collection()
        async with asyncio.TaskGroup() as group:
            for name, loop in ((name, loop) for work in WORK for name, loop in work.loops.items()):
                group.create_task(keep(name, functools.partial(loop, resources, stop)), name=name)
            group.create_task(JobRunner(resources, handlers, schedules).run(stop))


async def _until_signalled(settings: Settings, heartbeat: int | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    with watched(settings.processes.loop_timeout, heartbeat):
        await work(settings, stop)


def run_worker(settings: Settings, heartbeat: int | None = None) -> None:
    """Runs the worker process. It ends cleanly on SIGINT and SIGTERM, and reports on `heartbeat` like the API."""
    os.nice(NICER)
    configure_logging(settings.log)
    release_memory()
    shorten_switch_interval()
    uvloop.run(_until_signalled(settings, heartbeat))
