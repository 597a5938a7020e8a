from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter

from partywall.core.jobs.kinds import JobHandler
from partywall.core.jobs.schedules import Schedule


@dataclass(frozen=True, slots=True)
class Feature:
    """What a slice contributes: routes and WebSockets under `/api/v1`, routes under the root, jobs, events."""

    name: str
    routers: tuple[APIRouter, ...] = ()
    root_routers: tuple[APIRouter, ...] = ()
    socket_routers: tuple[APIRouter, ...] = ()
    jobs: tuple[JobHandler, ...] = ()
    schedules: tuple[Schedule, ...] = ()
    events: tuple[str, ...] = ()
