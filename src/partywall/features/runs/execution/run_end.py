"""The last transaction of a job: the run's new status and its event."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, timedelta

import structlog
from pydantic import JsonValue

from partywall.core.db.session import AsyncSession
from partywall.core.events.log import EventDraft, publish
from partywall.core.jobs import dead_letter
from partywall.core.jobs.context import JobContext
from partywall.core.tenancy import Principal, ProjectNotFoundError, SharedScope
from partywall.features.budgets.limits import month_of
from partywall.features.runs.execution.journal import InterruptedStep, usage_of
from partywall.features.runs.execution.journal_repository import JournalWriter
from partywall.features.runs.execution.outcomes import LOST, Cancelled, Failed, Interrupted, Outcome, Succeeded, Waiting
from partywall.features.runs.execution.retry_schedule import after_turned_away, next_attempt, next_paid_attempt
from partywall.features.runs.execution.steps import short_arguments
from partywall.features.runs.jobs import RunAgent
from partywall.features.runs.models import Run
from partywall.features.runs.pending_step import pending_id
from partywall.features.runs.repository import RunWriter
from partywall.features.runs.schemas import RunStatus

log = structlog.get_logger(__name__)


async def end_run(
    context: JobContext, payload: RunAgent, outcome: Outcome, interrupted_step: InterruptedStep | None
) -> None:
    """Writes the outcome, fenced by the lease; as the project's own worker if the run's principal has no access.

    Counts the usage of `interrupted_step` in the same transaction.
    """
    log.info("run_ended", run_id=str(payload.run_id), outcome=type(outcome).__name__.lower())
    try:
        await _end(context, payload, payload, outcome, interrupted_step)
    except ProjectNotFoundError:
        service = str(Principal.service(payload.project_id))
        await _end(context, payload.model_copy(update={"principal": service}), payload, outcome, interrupted_step)


@dataclass(frozen=True, slots=True)
class RunAgain:
    """The run is retried `after` this pause."""

    after: timedelta


async def interrupt_run(
    context: JobContext, payload: RunAgent, interrupted: Interrupted, interrupted_step: InterruptedStep | None
) -> RunAgain | None:
    """Requeues the run, for another attempt or for other models in this one. None if the run has ended instead.

    It ends after too many attempts, on a cancel request, or when its principal has lost the right.
    """
    try:
        found = await _requeue(context, payload, interrupted, interrupted_step)
    except ProjectNotFoundError:
        found = LOST
    if isinstance(found, RunAgain):
        return found
    await end_run(context, payload, found, interrupted_step)
    return None


async def _requeue(
    context: JobContext, payload: RunAgent, interrupted: Interrupted, interrupted_step: InterruptedStep | None
) -> RunAgain | Outcome:
    """RunAgain, or the outcome that the run ends with instead."""
    async with context.begin(payload) as (session, scope):
        ending = _Ending(session, scope, context)
        run = await RunWriter(session, scope).lock(payload.run_id)
        if run is None or run.principal != payload.principal:
            return interrupted.last  # nothing to end: `end_run` checks the same and writes nothing
        if run.cancel_requested_at is not None:
            return Cancelled()
        if interrupted.passing and interrupted.others is None:
            return await ending.wait(run, interrupted, interrupted_step)
        return await ending.repeat(run, interrupted, interrupted_step)


async def _end(
    context: JobContext, acting: RunAgent, payload: RunAgent, outcome: Outcome, interrupted_step: InterruptedStep | None
) -> None:
    async with context.begin(acting) as (session, scope):
        await _Ending(session, scope, context).write(payload, outcome, interrupted_step)


@dataclass(frozen=True, slots=True)
class _Ending:
    session: AsyncSession
    scope: SharedScope
    context: JobContext

    async def repeat(
        self, run: Run, interrupted: Interrupted, interrupted_step: InterruptedStep | None
    ) -> RunAgain | Outcome:
        """Requeues the run for its next attempt, or for other models in this one."""
        goes_on = interrupted.others is not None
        if run.attempts >= self.context.resources.settings.agents.max_attempts and not goes_on:
            return interrupted.last
        if run.status == RunStatus.RUNNING:
            await self.count(run, interrupted_step)
            # The next start counts an attempt again, so one that goes on is not counted twice.
            counted = max(0, run.attempts - 1) if goes_on else run.attempts
            self._record_queueing(await RunWriter(self.session, self.scope).requeue(run.id, counted), interrupted)
        return RunAgain(dead_letter.backoff(run.attempts))

    async def wait(
        self, run: Run, interrupted: Interrupted, interrupted_step: InterruptedStep | None
    ) -> RunAgain | Outcome:
        """Requeues the run for later and frees its slot, or ends it after failing for too long.

        An outage elsewhere does not count as an attempt, unless part of a model's answer was lost.
        """
        writer = RunWriter(self.session, self.scope)
        failing = await writer.failing_for(run.id)
        settings = self.context.resources.settings.agents
        after = _pause(interrupted, failing, settings.retry_for, run.attempts)
        if after is None or (interrupted.paid and run.attempts >= settings.max_attempts):
            return interrupted.last
        if run.status == RunStatus.RUNNING:
            await self.count(run, interrupted_step)
            counted = run.attempts if interrupted.paid else max(0, run.attempts - 1)
            self._record_queueing(await writer.retry_later(run.id, counted, after), interrupted)
        return RunAgain(after)

    def _record_queueing(self, run: Run, interrupted: Interrupted) -> None:
        event_data: dict[str, JsonValue] = {"agent": run.agent, "reason": interrupted.last.code}
        if run.retry_at is not None:
            event_data["retry_at"] = run.retry_at.astimezone(UTC).isoformat().replace("+00:00", "Z")
        self.record_event(run, "run.queued", event_data)

    async def write(self, payload: RunAgent, outcome: Outcome, interrupted_step: InterruptedStep | None) -> None:
        run = await RunWriter(self.session, self.scope).lock(payload.run_id)
        if run is None or run.principal != payload.principal:
            return
        if run.status in (RunStatus.QUEUED, RunStatus.RUNNING):
            await self._end(run, outcome, interrupted_step)

    async def _end(self, run: Run, outcome: Outcome, interrupted_step: InterruptedStep | None) -> None:
        if isinstance(outcome, Waiting) and run.cancel_requested_at is not None:
            outcome = Cancelled()  # requested while the turn ended
        await self.count(run, interrupted_step)
        await self._settle(run, outcome)

    async def count(self, run: Run, interrupted_step: InterruptedStep | None) -> None:
        """Counts the usage of an interrupted step, with the event that a finished model call records."""
        if interrupted_step is None:
            return
        journal = JournalWriter(self.session, self.scope)
        event_data = await journal.count_unfinished(interrupted_step.key, interrupted_step.used, month_of())
        used = interrupted_step.used
        if event_data is not None and (used.model_calls or used.input_tokens):
            self.record_event(run, "run.usage", event_data)

    async def _settle(self, run: Run, outcome: Outcome) -> None:
        writer = RunWriter(self.session, self.scope)
        match outcome:
            case Succeeded(output, messages):
                await self._turn_ends(run, messages)
                self._over(await writer.succeed(run.id, output), usage_of(run))
            case Waiting(requests, pending, messages):
                await self._turn_ends(run, messages, requests)
                await self._waits(run, pending)
            case Failed(code, detail):
                self._over(await writer.fail(run.id, code, detail), {"code": code, "detail": detail})
            case Cancelled():
                self._over(await writer.leave_off(run.id), {})

    async def _turn_ends(self, run: Run, messages: list[JsonValue], requests: JsonValue = None) -> None:
        await RunWriter(self.session, self.scope).end_turn(run.id, run.turn, messages, requests)

    async def _waits(self, run: Run, pending: list[JsonValue]) -> None:
        await RunWriter(self.session, self.scope).wait(run.id, pending)
        calls: list[JsonValue] = [
            {"tool": call["tool"], "arguments": short_arguments(call["arguments"])}
            for call in pending
            if isinstance(call, dict) and isinstance(call["arguments"], dict)
        ]
        self.record_event(run, "run.waiting", {"pending_id": pending_id(run.id, run.turn, pending), "calls": calls})

    def _over(self, run: Run, event_data: dict[str, JsonValue]) -> None:
        self.record_event(run, f"run.{run.status}", {"agent": run.agent, **event_data})

    def record_event(self, run: Run, type_: str, data: dict[str, JsonValue]) -> None:
        publish(self.session, self.scope, EventDraft(type_, "run", str(run.id), data))


def _pause(interrupted: Interrupted, failing: timedelta, lasting: timedelta, attempts: int) -> timedelta | None:
    if interrupted.not_asked:
        return after_turned_away(failing, lasting, interrupted.retry_after or timedelta())
    if interrupted.paid:
        return next_paid_attempt(failing, lasting, interrupted.retry_after, attempts)
    return next_attempt(failing, lasting, interrupted.retry_after)
