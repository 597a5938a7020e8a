"""What a feature contributes, declared in one place.

A process imports only what it needs: workers never import routers, and the API never imports what runs in workers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING

from partywall.core.lazy import Lazy

if TYPE_CHECKING:
    # lint: allow web-framework - a type only; the declaration imports no router
    from fastapi import APIRouter

    from partywall.core.agents import DeclaredAgents
    from partywall.core.events.types import EventType
    from partywall.core.jobs.kinds import JobHandler
    from partywall.core.jobs.loops import Loop
    from partywall.core.jobs.schedules import Schedule
    from partywall.core.rights import Right
    from partywall.core.tools import AnyTool
    from partywall.settings.base import Section


class FeatureError(Exception):
    """A feature that FEATURES__ENABLED names is missing, cannot be loaded, or breaks a rule; in one line."""


@dataclass(frozen=True, slots=True)
class Tag:
    """A group of operations in the OpenAPI document, at the end or after the group `after`."""

    name: str
    description: str
    after: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """A slice of the application.

    `routers` and `socket_routers` are served under `/api/v1`, `root_routers` under the root. Every route demands a
    principal, except those whose endpoint functions `public_routes` names. `loops`, by name, run in every worker.
    `models` is the module with the tables. Installed packages have `migrations`, the package with their revisions, and
    `settings`, a section with the feature's name. `tools` are offered over MCP, `agents` are what runs can be
    started of. An `optional` feature is off until `FEATURES__ENABLED` names it.
    """

    name: str
    tags: tuple[Tag, ...] = ()
    routers: tuple[Lazy[APIRouter], ...] = ()
    socket_routers: tuple[Lazy[APIRouter], ...] = ()
    root_routers: tuple[Lazy[APIRouter], ...] = ()
    public_routes: frozenset[str] = frozenset()
    rights: tuple[Right, ...] = ()
    events: tuple[EventType, ...] = ()
    jobs: tuple[JobHandler, ...] = ()
    schedules: tuple[Schedule, ...] = ()
    loops: Mapping[str, Lazy[Loop]] = field(default_factory=dict)
    models: Lazy[ModuleType] | None = None
    migrations: str | None = None
    settings: Lazy[type[Section]] | None = None
    tools: Lazy[Sequence[AnyTool]] | None = None
    agents: DeclaredAgents | None = None
    optional: bool = False

    @property
    def background_code(self) -> Iterator[object]:
        """What runs in workers, as functions or references."""
        yield from (job.code for job in self.jobs)
        yield from (job.informs for job in self.jobs if job.informs is not None)
        yield from (schedule.code for schedule in self.schedules)
        yield from self.loops.values()
