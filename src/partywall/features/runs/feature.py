from __future__ import annotations

from typing import TYPE_CHECKING, Final

from partywall.core.events.types import EventType
from partywall.core.feature import Feature
from partywall.core.jobs.kinds import Limits, handles
from partywall.core.lazy import lazy
from partywall.features.runs.jobs import RUN_AGENT
from partywall.features.runs.rights import RUN_DECIDE, RUN_START

if TYPE_CHECKING:
    from partywall.core.resources import Resources


def limits_of_runs(resources: Resources) -> Limits:
    """Running at once, over all workers."""
    settings = resources.settings.agents
    return Limits(settings.concurrency_per_project, settings.slots_per_account)


feature: Final = Feature(
    name="runs",
    routers=(lazy("partywall.features.runs.router:router"), lazy("partywall.features.runs.stream_router:router")),
    public_routes=frozenset({"stream_run_events"}),
    rights=(RUN_START, RUN_DECIDE),
    events=(
        EventType("run.queued", "run"),
        EventType("run.started", "run"),
        EventType("run.token", "run"),
        EventType("run.tool_called", "run"),
        EventType("run.tool_returned", "run"),
        EventType("run.usage", "run"),
        EventType("run.waiting", "run"),
        EventType("run.succeeded", "run"),
        EventType("run.failed", "run"),
        EventType("run.cancelled", "run"),
        EventType("run.deleted", "run"),
    ),
    jobs=(
        handles(
            RUN_AGENT,
            lazy("partywall.features.runs.run_loader:run_agent"),
            concurrency=lambda resources: resources.settings.agents.concurrency,
            share=1,
            limits=limits_of_runs,
            leaves_off=True,
        ),
    ),
    models=lazy("partywall.features.runs.models"),
)
