"""The job that executes one turn of a run. It resumes from the journal on the worker that holds the lease."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

import structlog
from pydantic_ai.models import Model
from structlog.contextvars import bound_contextvars

from partywall.core.errors import UnavailableError
from partywall.core.jobs.context import AnotherAttemptError, JobContext
from partywall.core.jobs.lease import LeaseLostError
from partywall.core.language_models import AgentModelNotConfiguredError
from partywall.core.outgoing.correlation import correlated
from partywall.core.rights import require
from partywall.features.agents.deps import RunDeps
from partywall.features.agents.exit_guard import running_agent
from partywall.features.agents.registry import agents_of
from partywall.features.runs.execution.agent_turn import AgentTurn
from partywall.features.runs.execution.failures import meaning_of, model_errors_of
from partywall.features.runs.execution.journal import CancelRequestedError, InterruptedStep, Journal, WorkerStopsError
from partywall.features.runs.execution.model_errors import facts_of
from partywall.features.runs.execution.outcomes import TIMED_OUT, Ending, Failed, Interrupted, Outcome
from partywall.features.runs.execution.project_documents import JournalEffects, ScopedDocuments
from partywall.features.runs.execution.run_end import end_run, interrupt_run
from partywall.features.runs.execution.run_start import StartedRun, begin_run
from partywall.features.runs.jobs import RunAgent
from partywall.features.runs.repository import CANCEL_REQUESTED
from partywall.features.runs.rights import RUN_START

log = structlog.get_logger(__name__)

# Keeps the promise that a running call stops within two seconds of a cancel request.
WATCH_SECONDS: Final = 0.5


async def run_agent(context: JobContext, payload: RunAgent) -> None:
    """Idempotent: steps in the journal are not repeated, and nothing is written once the lease is lost."""
    with bound_contextvars(run_id=str(payload.run_id), project_id=str(payload.project_id)):
        ending, interrupted_step = await _attempt(context, payload)
        paid = False
        while isinstance(ending, Interrupted):
            paid = paid or bool(interrupted_step and interrupted_step.used.model_calls)
            again = await interrupt_run(context, payload, replace(ending, paid=paid), interrupted_step)
            if again is None:
                return
            if ending.others is None:
                raise AnotherAttemptError(ending.last.code, again.after)
            ending, interrupted_step = await _attempt(context, payload, ending.others)
        if ending is not None:
            await end_run(context, payload, ending, interrupted_step)


async def _attempt(
    context: JobContext, payload: RunAgent, instead: Model | None = None
) -> tuple[Ending | None, InterruptedStep | None]:
    """One attempt, with the agent's model or `instead`. The ending is None if there is nothing to do."""
    worker: _Worker | None = None
    try:
        started_run = await begin_run(context, payload)
        if not isinstance(started_run, StartedRun):
            return started_run, None
        worker = _Worker(context, payload, started_run, instead)
        return await worker.run(), worker.interrupted_step
    except (LeaseLostError, AnotherAttemptError):
        raise
    except Exception as error:  # noqa: BLE001 - each means something for the run, and is logged
        ending = meaning_of(error)
        _log(error, ending, worker.started_run.run.agent if worker else None)
        return ending, worker.interrupted_step if worker else None


def _log(error: Exception, ending: Ending, agent: str | None) -> None:
    """Logs failures and interruptions; `end_run` logs cancelled runs."""
    failed = ending.last if isinstance(ending, Interrupted) else ending
    if not isinstance(failed, Failed):
        return
    event = "run_interrupted" if isinstance(ending, Interrupted) else "run_failed"
    # Users see no details of these, so the log needs the traceback.
    needs_traceback = failed.code in ("internal_error", "agent_broken", "tool_failed", "unavailable")
    facts = {"code": failed.code, "agent": agent, "error": type(error).__name__}
    for said in [facts_of(each) for each in model_errors_of(error)] or [{}]:
        log.warning(event, **facts, **said, exc_info=error if needs_traceback else None)


@dataclass(slots=True)
class _Worker:
    context: JobContext
    payload: RunAgent
    started_run: StartedRun
    instead: Model | None
    _journal: Journal | None = None

    @property
    def interrupted_step(self) -> InterruptedStep | None:
        return self._journal.interrupted_step if self._journal else None

    async def run(self) -> Outcome:
        """Runs the turn until it ends, its time is up, or the run is cancelled."""
        if self.started_run.run.attempts == 1:
            self.context.progressed()  # a step was finished since the previous start
        run = self.started_run.run
        cause = correlated(request_id=run.request_id, traceparent=run.traceparent)
        with cause, bound_contextvars(agent=run.agent):
            turn = await self._turn()
            if isinstance(turn, Failed):
                return turn
            left = turn.definition.limits.time.total_seconds() - self.started_run.run.seconds
            try:
                async with asyncio.TaskGroup() as group:
                    watching = group.create_task(self._watch())
                    outcome = await _in_time(turn, left)
                    watching.cancel()
                    return outcome
            except ExceptionGroup as errors:
                raise errors.exceptions[0] from errors.exceptions[0].__cause__

    async def _turn(self) -> AgentTurn | Failed:
        run, answered, resources = self.started_run.run, self.started_run.answered, self.context.resources
        definition = agents_of(resources).by_name.get(run.agent)
        if definition is None:
            return Failed("agent_not_found", f"This worker has no agent called {run.agent}.")
        try:
            model = resources.language_models.named(run.agent)
        except AgentModelNotConfiguredError as error:
            return Failed(error.code, error.detail)
        self._journal = journal = Journal(
            self.context, self.payload, run.turn, definition.limits, self.started_run.finished
        )
        reader = resources.reader(self.payload.acting)
        documents = ScopedDocuments(self.context, reader, self.payload.project_id)
        return AgentTurn(
            definition=definition,
            model=replace(model, model=self.instead) if self.instead else model,
            journal=journal,
            deps=RunDeps(
                await definition.validated(run.input, resources.checks),
                documents,
                JournalEffects(journal),
                resources.checks,
                comment=answered.comment if answered else None,
            ),
            history=self.started_run.history,
            answered=answered,
            token_interval=resources.settings.agents.token_interval.total_seconds(),
        )

    async def _watch(self) -> None:
        """Raises CancelRequestedError, WorkerStopsError, or what the scope raises when the right is lost."""
        reader = self.context.resources.reader(self.payload.acting)
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(WATCH_SECONDS):
                    await self.context.stopping.wait()
                    raise WorkerStopsError
            try:
                scope, row = await reader.row(
                    CANCEL_REQUESTED, self.payload.project_id, {"run_id": self.payload.run_id}
                )
            except UnavailableError:
                continue
            require(scope, RUN_START)
            if row["requested"]:
                raise CancelRequestedError


async def _in_time(turn: AgentTurn, left: float) -> Outcome:
    limit = asyncio.timeout(max(0.0, left))
    try:
        async with limit:
            with running_agent():
                return await turn.run_turn()
    except TimeoutError:
        if limit.expired():
            return TIMED_OUT
        raise
