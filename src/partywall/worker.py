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
from partywall.core.shared_threads import let_the_loop_in
from partywall.core.watchdog import watched
from partywall.features.work import WORK
from partywall.logs import configure_logging
from partywall.resources import open_resources
from partywall.settings import Settings

# Where it shares a machine with the API, who waits for an answer comes first.
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
    """The worker process: ends cleanly on SIGINT and SIGTERM. It says on `heartbeat` that its loop answers."""
    os.nice(NICER)
    configure_logging(settings.log)
    release_memory()
    let_the_loop_in()
    uvloop.run(_until_signalled(settings, heartbeat))
