from __future__ import annotations

from partywall.core.feature import Feature
from partywall.core.jobs.kinds import handles
from partywall.features.agents import budget_router, router, stream_router
from partywall.features.agents.jobs import RUN_AGENT
from partywall.features.agents.running import run_agent

feature = Feature(
    name="agents",
    routers=(router.router, budget_router.router, stream_router.router),
    jobs=(handles(RUN_AGENT, run_agent, concurrency=lambda resources: resources.settings.agents.concurrency),),
    events=(
        "run.queued", "run.started", "run.token", "run.tool_called", "run.tool_returned", "run.waiting", "run.usage",
        "run.succeeded", "run.failed", "run.cancelled",
    ),
)  # fmt: skip
