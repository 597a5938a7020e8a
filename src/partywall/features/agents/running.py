"""The job: one turn of a run, from where its journal ends, on whichever worker has the lease."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

import structlog
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
from partywall.features.agents.journal import CancelRequestedError, Journal, WorkerStopsError
from partywall.features.agents.outcomes import TIMED_OUT, Ending, Failed, Interrupted, Outcome, meaning_of
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
        try:
            begun = await begin_run(context, payload)
            ending: Ending | None = await _Worker(context, payload, begun).run() if isinstance(begun, Begun) else begun
        except LeaseLostError:
            raise
        except Exception as error:
            ending = meaning_of(error)
            log.warning("run_failed", error=type(error).__name__, exc_info=error if _is_ours(ending) else None)
        if isinstance(ending, Interrupted):
            if await interrupt_run(context, payload, ending):
                raise AnotherAttemptError(ending.last.code)
        elif ending is not None:
            await end_run(context, payload, ending)


def _is_ours(ending: Ending) -> bool:
    """A failure that says nothing of itself to the people who see it; the log must."""
    failed = ending.last if isinstance(ending, Interrupted) else ending
    return isinstance(failed, Failed) and failed.code in ("internal_error", "agent_broken")


@dataclass(frozen=True, slots=True)
class _Worker:
    context: JobContext
    payload: RunAgent
    begun: Begun

    async def run(self) -> Outcome:
        """Talks with the model until the turn ends, the time is up, or somebody wants the run to end."""
        if self.begun.run.attempts == 1:
            self.context.progressed()  # it had finished a step since it was begun the last time
        with caused_by(request_id=self.begun.run.request_id, traceparent=self.begun.run.traceparent):
            turn = self._turn()
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

    def _turn(self) -> Turn | Failed:
        run, resources = self.begun.run, self.context.resources
        settings = resources.settings.agents
        definition = registry_of(settings.modules).by_name.get(run.agent)
        if definition is None:
            return Failed("agent_not_found", f"This worker knows no agent called {run.agent}.")
        try:
            model = resources.language_models.named(run.agent)
        except AgentModelNotConfiguredError as error:
            return Failed(error.code, error.detail)
        journal = Journal(self.context, self.payload, run.turn, definition.limits, self.begun.finished)
        reader = ScopedReader(resources.reads, self.payload.acting)
        documents = ScopedDocuments(self.context, reader, self.payload.project_id)
        return Turn(
            definition=definition,
            model=model,
            journal=journal,
            deps=RunDeps(definition.input.model_validate(run.input), documents, JournalEffects(journal)),
            history=self.begun.history,
            answered=self.begun.answered,
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
