from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from partywall.core.jobs.context import JobContext
from partywall.core.jobs.kinds import handles
from partywall.core.jobs.work import Work
from partywall.features.agents.admission import limits_of_runs
from partywall.features.agents.jobs import RUN_AGENT, RunAgent


async def _run_agent(context: JobContext, payload: RunAgent) -> None:
    """The first run of a worker waits for the code of all runs to be read."""
    run = await asyncio.to_thread(_code_of_runs)
    await run(context, payload)


def _code_of_runs() -> Callable[[JobContext, RunAgent], Awaitable[None]]:
    # lint: allow import-in-function - the models' library: 30 MB, which a worker without runs need not hold
    from partywall.features.agents.running import run_agent  # noqa: PLC0415 - see above

    return run_agent


work = Work(
    jobs=(
        handles(
            RUN_AGENT,
            _run_agent,
            concurrency=lambda resources: resources.settings.agents.concurrency,
            limits=limits_of_runs,
            leaves_off=True,
        ),
    ),
)
