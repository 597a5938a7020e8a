from __future__ import annotations

import asyncio
import functools
import os
import signal
from collections.abc import Sequence
from typing import Final

import uvloop

from partywall.core.background import keep
from partywall.core.feature import Feature
from partywall.core.jobs.runner import JobRunner
from partywall.core.lazy import loaded
from partywall.core.memory import exempt_from_collection, release_memory
from partywall.core.shared_threads import shorten_switch_interval
from partywall.core.watchdog import watched
from partywall.extensions.enabled import enabled_features
from partywall.extensions.resources import with_features
from partywall.logs import configure_logging
from partywall.resources import open_resources
from partywall.settings import Settings

# Gives the API priority on a shared machine.
NICER: Final = 5


async def work(settings: Settings, features: Sequence[Feature], stop: asyncio.Event) -> None:
    """Runs the features' jobs, schedules and loops until `stop` is set."""
    handlers = [handler for feature in features for handler in feature.jobs]
    schedules = [schedule for feature in features for schedule in feature.schedules]
    loops = {name: loop.load() for feature in features for name, loop in feature.loops.items()}
    async with open_resources(settings, application="partywall-worker", background=True) as opened:
        resources = with_features(opened, features)
        exempt_from_collection()
        async with asyncio.TaskGroup() as group:
            for name, loop in loops.items():
                group.create_task(keep(name, functools.partial(loop, resources, stop)), name=name)
            group.create_task(JobRunner(resources, handlers, schedules).run(stop))


def imported_features(settings: Settings) -> tuple[Feature, ...]:
    """The features; imports what they run in workers, so that no import blocks the event loop later."""
    features = enabled_features(settings.features.enabled)
    for feature in features:
        for code in feature.background_code:
            loaded(code)
    return features


async def _until_signalled(settings: Settings, features: Sequence[Feature], heartbeat: int | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    with watched(settings.processes.loop_timeout, heartbeat):
        await work(settings, features, stop)


def run_worker(settings: Settings, features: Sequence[Feature], heartbeat: int | None = None) -> None:
    """Runs the worker process. It ends cleanly on SIGINT and SIGTERM, and reports on `heartbeat` like the API."""
    os.nice(NICER)
    configure_logging(settings.log)
    release_memory()
    shorten_switch_interval()
    uvloop.run(_until_signalled(settings, features, heartbeat))
