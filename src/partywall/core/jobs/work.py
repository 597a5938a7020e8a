from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from partywall.core.jobs.kinds import JobHandler
from partywall.core.jobs.schedules import Schedule
from partywall.core.resources import Resources

# What lasts as long as a worker does: ends by itself, and soon, when the event is set.
type Loop = Callable[[Resources, asyncio.Event], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Work:
    """What a slice has its worker do; `loops` run in every worker, by their names."""

    jobs: tuple[JobHandler, ...] = ()
    schedules: tuple[Schedule, ...] = ()
    loops: Mapping[str, Loop] = field(default_factory=dict)
