"""Loads the code of runs when the first one starts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

from partywall.core.daemon_thread import in_daemon_thread
from partywall.core.jobs.context import AnotherAttemptError, JobContext
from partywall.core.resources import Resources
from partywall.core.shutdown import CutShortError, unless_stopped
from partywall.features.agents.registry import RegistrationError, agents_of
from partywall.features.runs.jobs import RunAgent


async def run_agent(context: JobContext, payload: RunAgent) -> None:
    """The first run waits until the agents' code is loaded; a stopping worker does not wait."""
    reading = in_daemon_thread(partial(_code_of_runs, context.resources))
    try:
        run = await (reading if context.last else unless_stopped(context.stopping, reading))
    except CutShortError as error:
        raise AnotherAttemptError("worker_stopped") from error
    await run(context, payload)


def _code_of_runs(resources: Resources) -> Callable[[JobContext, RunAgent], Awaitable[None]]:
    """Imports everything that runs need, so that no import blocks the event loop later."""
    # lint: allow import-in-function - Pydantic AI takes 30 MB, which a worker without runs need not load
    from partywall.features.runs.execution.run_job import run_agent as run  # noqa: PLC0415 - see above

    with suppress(RegistrationError):  # the run itself will raise it
        agents_of(resources)
    resources.language_models.read()
    return run
