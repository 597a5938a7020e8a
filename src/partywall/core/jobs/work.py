from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from partywall.core.jobs.kinds import JobHandler
from partywall.core.jobs.schedules import Schedule
from partywall.core.resources import Resources

# Runs as long as its worker; ends by itself soon after the event is set.
type Loop = Callable[[Resources, asyncio.Event], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Work:
    """A slice's work for workers; `loops`, by name, run in every worker."""

    jobs: tuple[JobHandler, ...] = ()
    schedules: tuple[Schedule, ...] = ()
    loops: Mapping[str, Loop] = field(default_factory=dict)
