"""The job: one turn of a run, from where its journal ends, on whichever worker has the lease."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Final

import structlog
from pydantic_ai.models import Model
from structlog.contextvars import bound_contextvars

from partywall.core.db.scoped_read import ScopedReader
from partywall.core.errors import UnavailableError
from partywall.core.jobs.context import AnotherAttemptError, JobContext, LeaseLostError
from partywall.core.language_models import AgentModelNotConfiguredError
from partywall.core.outgoing.cause import caused_by
from partywall.features.agents.beginning import Begun, begin_run
from partywall.features.agents.deps import RunDeps
from partywall.features.agents.ending import end_run, interrupt_run
from partywall.features.agents.jobs import RunAgent
from partywall.features.agents.journal import CancelRequestedError, CutOff, Journal, WorkerStopsError
from partywall.features.agents.outcomes import TIMED_OUT, Cancelled, Ending, Failed, Interrupted, Outcome, meaning_of
from partywall.features.agents.project_documents import JournalEffects, ScopedDocuments
from partywall.features.agents.registry import registry_of
from partywall.features.agents.repository import CANCEL_REQUESTED
from partywall.features.agents.talking import Turn
from partywall.features.projects.rights import Right, require

log = structlog.get_logger(__name__)

# A call that runs is stopped within two seconds after somebody has asked for it.
WATCH_SECONDS: Final = 0.5


async def run_agent(context: JobContext, payload: RunAgent) -> None:
    """Idempotent: what the journal holds is not done again, and nothing is written once the lease is lost."""
    with bound_contextvars(run_id=str(payload.run_id)):
        ending, cut_off = await _attempt(context, payload)
        while isinstance(ending, Interrupted):
            if not await interrupt_run(context, payload, ending, cut_off):
                return
            if ending.others is None:
                raise AnotherAttemptError(ending.last.code)
            ending, cut_off = await _attempt(context, payload, ending.others)
        if ending is not None:
            await end_run(context, payload, ending, cut_off)


async def _attempt(
    context: JobContext, payload: RunAgent, instead: Model | None = None
) -> tuple[Ending | None, CutOff | None]:
    """With the agent's model, or another instead; no ending where there is nothing to do."""
    worker: _Worker | None = None
    try:
        begun = await begin_run(context, payload)
        if not isinstance(begun, Begun):
            return begun, None
        worker = _Worker(context, payload, begun, instead)
        return await worker.run(), worker.cut_off
    except LeaseLostError:
        raise
    except Exception as error:
        ending = meaning_of(error)
        if not isinstance(ending, Cancelled):  # which is no failure, and has its line when the run ends
            event = "run_interrupted" if isinstance(ending, Interrupted) else "run_failed"
            log.warning(event, error=type(error).__name__, exc_info=error if _is_ours(ending) else None)
        return ending, worker.cut_off if worker else None


def _is_ours(ending: Ending) -> bool:
    """A failure that says nothing of itself to the people who see it; the log must."""
    failed = ending.last if isinstance(ending, Interrupted) else ending
    return isinstance(failed, Failed) and failed.code in ("internal_error", "agent_broken")


@dataclass(slots=True)
class _Worker:
    context: JobContext
    payload: RunAgent
    begun: Begun
    instead: Model | None
    _journal: Journal | None = None

    @property
    def cut_off(self) -> CutOff | None:
        return self._journal.cut_off if self._journal else None

    async def run(self) -> Outcome:
        """Talks with the model until the turn ends, the time is up, or somebody wants the run to end."""
        if self.begun.run.attempts == 1:
            self.context.progressed()  # it had finished a step since it was begun the last time
        with caused_by(request_id=self.begun.run.request_id, traceparent=self.begun.run.traceparent):
            turn = await self._turn()
            if isinstance(turn, Failed):
                return turn
            left = turn.definition.limits.time.total_seconds() - self.begun.run.seconds
            try:
                async with asyncio.TaskGroup() as group:
                    watching = group.create_task(self._watch())
                    outcome = await _in_time(turn, left)
                    watching.cancel()
                    return outcome
            except ExceptionGroup as errors:
                raise errors.exceptions[0] from errors

    async def _turn(self) -> Turn | Failed:
        run, answered, resources = self.begun.run, self.begun.answered, self.context.resources
        settings = resources.settings.agents
        definition = registry_of(settings.modules).by_name.get(run.agent)
        if definition is None:
            return Failed("agent_not_found", f"This worker knows no agent called {run.agent}.")
        try:
            model = resources.language_models.named(run.agent)
        except AgentModelNotConfiguredError as error:
            return Failed(error.code, error.detail)
        self._journal = journal = Journal(self.context, self.payload, run.turn, definition.limits, self.begun.finished)
        reader = ScopedReader(resources.reads, self.payload.acting)
        documents = ScopedDocuments(self.context, reader, self.payload.project_id)
        return Turn(
            definition=definition,
            model=replace(model, model=self.instead) if self.instead else model,
            journal=journal,
            deps=RunDeps(
                await definition.validated(run.input),
                documents,
                JournalEffects(journal),
                comment=answered.comment if answered else None,
            ),
            history=self.begun.history,
            answered=answered,
            token_interval=settings.token_interval.total_seconds(),
        )

    async def _watch(self) -> None:
        """Raises CancelRequestedError, WorkerStopsError, or, when the right is gone, what the scope raises."""
        reader = ScopedReader(self.context.resources.reads, self.payload.acting)
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            if self.context.stopping.is_set():
                raise WorkerStopsError
            try:
                scope, row = await reader.row(
                    CANCEL_REQUESTED, self.payload.project_id, {"run_id": self.payload.run_id}
                )
            except UnavailableError:
                continue
            require(scope, Right.RUN_START)
            if row["requested"]:
                raise CancelRequestedError


async def _in_time(turn: Turn, left: float) -> Outcome:
    limit = asyncio.timeout(max(0.0, left))
    try:
        async with limit:
            return await turn.talk()
    except TimeoutError:
        if limit.expired():
            return TIMED_OUT
        raise
