"""The first transaction of a job: checks whether the run may proceed, and loads what it needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from pydantic import JsonValue

from partywall.core.db.session import AsyncReadSession, AsyncSession
from partywall.core.events.log import EventDraft, publish
from partywall.core.jobs.context import AnotherAttemptError, JobContext
from partywall.core.rights import require
from partywall.core.tenancy import ProjectScope, SharedScope
from partywall.features.runs.execution.agent_turn import DecidedCalls
from partywall.features.runs.execution.journal_repository import JournalReader
from partywall.features.runs.execution.outcomes import POISONED, Cancelled, Outcome
from partywall.features.runs.jobs import RunAgent
from partywall.features.runs.models import Run
from partywall.features.runs.repository import RunRepository, RunWriter
from partywall.features.runs.rights import RUN_START
from partywall.features.runs.schemas import RunStatus


@dataclass(frozen=True, slots=True)
class StartedRun:
    """A started run: its row, the turn's finished steps, the earlier messages and the last decision."""

    run: Run
    finished: Mapping[tuple[str, int], JsonValue]
    history: Sequence[JsonValue]
    answered: DecidedCalls | None


async def begin_run(context: JobContext, payload: RunAgent) -> StartedRun | Outcome | None:
    """Counts the attempt. None if there is nothing to do, or the payload's principal did not start the run.

    Raises MissingRightError or ProjectNotFoundError if the right was lost, AnotherAttemptError if the run must wait.
    """
    async with context.begin(payload) as (session, scope):
        writer = RunWriter(session, scope)
        run = await writer.lock(payload.run_id)
        if run is None or run.principal != payload.principal:
            return None
        if run.status not in (RunStatus.QUEUED, RunStatus.RUNNING):
            return None
        left = await writer.waits_for(run.id)
        if left is not None:
            raise AnotherAttemptError("the run waits", left)
        require(scope, RUN_START)
        if run.cancel_requested_at is not None:
            return Cancelled()
        if run.attempts >= context.resources.settings.agents.max_attempts:
            return POISONED
        return await _start(session, scope, run)


async def _start(session: AsyncSession, scope: SharedScope, run: Run) -> StartedRun:
    if run.status == RunStatus.QUEUED:
        event = EventDraft("run.started", "run", str(run.id), {"agent": run.agent, "turn": run.turn})
        publish(session, scope, event)
    started = await RunWriter(session, scope).begin(run.id, run.attempts + 1)
    steps = await JournalReader(session, scope).finished(run.id, run.turn)
    history, answered = await _before(session, scope, run)
    return StartedRun(started, {(step.name, step.number): step.result for step in steps}, history, answered)


async def _before(
    session: AsyncReadSession, scope: ProjectScope, run: Run
) -> tuple[Sequence[JsonValue], DecidedCalls | None]:
    repository = RunRepository(session, scope)
    if run.turn > 1:
        ended = await repository.turn(run.id, run.turn - 1)
        assert ended is not None
        decision = ended.decision or {}
        comment = decision.get("comment")
        answered = DecidedCalls(ended.pending, decision.get("approve") is True, str(comment) if comment else None)
        return ended.messages, answered
    if run.continues is not None:
        return await _messages_of(repository, run.continues), None
    return (), None


async def _messages_of(repository: RunRepository, run_id: UUID) -> Sequence[JsonValue]:
    last = await repository.last_turn(run_id)
    return last.messages if last else ()
