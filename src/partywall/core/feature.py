from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from fastapi import APIRouter

from partywall.core.jobs.kinds import JobHandler
from partywall.core.jobs.schedules import Schedule
from partywall.core.resources import Resources

# What lasts as long as a worker does: ends by itself, and soon, when the event is set.
type Loop = Callable[[Resources, asyncio.Event], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Feature:
    """What a slice contributes: routes and WebSockets under `/api/v1`, routes under the root, jobs, events.

    `loops` run in every worker, by their names.
    """

    name: str
    routers: tuple[APIRouter, ...] = ()
    root_routers: tuple[APIRouter, ...] = ()
    socket_routers: tuple[APIRouter, ...] = ()
    jobs: tuple[JobHandler, ...] = ()
    schedules: tuple[Schedule, ...] = ()
    loops: Mapping[str, Loop] = field(default_factory=dict)
    events: tuple[str, ...] = ()
