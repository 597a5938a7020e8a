"""The last transaction of a job: the run's new status and its event."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, timedelta

import structlog
from pydantic import JsonValue

from partywall.core.db.session import AsyncSession
from partywall.core.events.log import EventLog, News
from partywall.core.jobs import attempts
from partywall.core.jobs.context import JobContext
from partywall.core.tenancy import Principal, ProjectNotFoundError, ProjectScope
from partywall.features.agents.budgets import month_of
from partywall.features.agents.jobs import RunAgent
from partywall.features.agents.journal import CutOff, usage_of
from partywall.features.agents.journal_repository import JournalWriter
from partywall.features.agents.models import Run
from partywall.features.agents.outcomes import LOST, Cancelled, Failed, Interrupted, Outcome, Succeeded, Waiting
from partywall.features.agents.pending import pending_id
from partywall.features.agents.repository import RunWriter
from partywall.features.agents.retrying import after_turned_away, next_attempt
from partywall.features.agents.schemas import RunStatus
from partywall.features.agents.steps import short_arguments

log = structlog.get_logger(__name__)


async def end_run(context: JobContext, payload: RunAgent, outcome: Outcome, cut_off: CutOff | None) -> None:
    """Fenced by the lease. Where whoever started the run is gone, the project's own worker writes it.

    What was `cut_off` is counted in the same transaction.
    """
    log.info("run_ended", run_id=str(payload.run_id), outcome=type(outcome).__name__.lower())
    try:
        await _end(context, payload, payload, outcome, cut_off)
    except ProjectNotFoundError:
        service = str(Principal.service(payload.project_id))
        await _end(context, payload.model_copy(update={"principal": service}), payload, outcome, cut_off)


@dataclass(frozen=True, slots=True)
class Again:
    """The run goes on, or is tried again `after` a time."""

    after: timedelta


async def interrupt_run(
    context: JobContext, payload: RunAgent, interrupted: Interrupted, cut_off: CutOff | None
) -> Again | None:
    """Puts the run back, for another attempt or for other models in this one; None where it is over instead.

    It was tried too often and has failed with this, somebody wants it to end, or nobody may run it any more.
    """
    try:
        found = await _put_back(context, payload, interrupted, cut_off)
    except ProjectNotFoundError:
        found = LOST
    if isinstance(found, Again):
        return found
    await end_run(context, payload, found, cut_off)
    return None


async def _put_back(
    context: JobContext, payload: RunAgent, interrupted: Interrupted, cut_off: CutOff | None
) -> Again | Outcome:
    """How the run ends instead, if it does."""
    async with context.begin(payload) as (session, scope):
        ending = _Ending(session, scope, context)
        run = await RunWriter(session, scope).lock(payload.run_id)
        if run is None or run.principal != payload.principal:
            return interrupted.last  # there is nothing to end, as `end_run` finds too
        if run.cancel_requested_at is not None:
            return Cancelled()
        if interrupted.passing and interrupted.others is None:
            return await ending.wait(run, interrupted, cut_off)
        return await ending.repeat(run, interrupted, cut_off)


async def _end(
    context: JobContext, acting: RunAgent, payload: RunAgent, outcome: Outcome, cut_off: CutOff | None
) -> None:
    async with context.begin(acting) as (session, scope):
        await _Ending(session, scope, context).write(payload, outcome, cut_off)


@dataclass(frozen=True, slots=True)
class _Ending:
    session: AsyncSession
    scope: ProjectScope
    context: JobContext

    async def repeat(self, run: Run, interrupted: Interrupted, cut_off: CutOff | None) -> Again | Outcome:
        """The run is put back, for its next attempt or for other models in this one."""
        goes_on = interrupted.others is not None
        if run.attempts >= self.context.resources.settings.agents.max_attempts and not goes_on:
            return interrupted.last
        if run.status == RunStatus.RUNNING:
            await self.count(run, cut_off)
            # What goes on begins again, and is counted then.
            counted = max(0, run.attempts - 1) if goes_on else run.attempts
            self._tell_of_queueing(await RunWriter(self.session, self.scope).put_back(run.id, counted), interrupted)
        return Again(attempts.backoff(run.attempts))

    async def wait(self, run: Run, interrupted: Interrupted, cut_off: CutOff | None) -> Again | Outcome:
        """The run leaves its place to others until it is tried again; over where it has been failing for long enough.

        Nothing of ours has failed, so no attempt counts, except where an answer broke off that has to be paid for.
        """
        writer = RunWriter(self.session, self.scope)
        failing = await writer.failing_for(run.id)
        settings, broke_off = self.context.resources.settings.agents, bool(cut_off and cut_off.used.model_calls)
        after = _pause(interrupted, failing, settings.retry_for)
        if after is None or (broke_off and run.attempts >= settings.max_attempts):
            return interrupted.last
        if run.status == RunStatus.RUNNING:
            await self.count(run, cut_off)
            counted = run.attempts if broke_off else max(0, run.attempts - 1)
            self._tell_of_queueing(await writer.retry_later(run.id, counted, after), interrupted)
        return Again(after)

    def _tell_of_queueing(self, run: Run, interrupted: Interrupted) -> None:
        told: dict[str, JsonValue] = {"agent": run.agent, "reason": interrupted.last.code}
        if run.retry_at is not None:
            told["retry_at"] = run.retry_at.astimezone(UTC).isoformat().replace("+00:00", "Z")
        self.tell(run, "run.queued", told)

    async def write(self, payload: RunAgent, outcome: Outcome, cut_off: CutOff | None) -> None:
        run = await RunWriter(self.session, self.scope).lock(payload.run_id)
        if run is None or run.principal != payload.principal:
            return
        if run.status in (RunStatus.QUEUED, RunStatus.RUNNING):
            await self._end(run, outcome, cut_off)

    async def _end(self, run: Run, outcome: Outcome, cut_off: CutOff | None) -> None:
        if isinstance(outcome, Waiting) and run.cancel_requested_at is not None:
            outcome = Cancelled()  # asked for while the turn ended
        await self.count(run, cut_off)
        await self._settle(run, outcome)

    async def count(self, run: Run, cut_off: CutOff | None) -> None:
        """Told as after a model's last words."""
        if cut_off is None:
            return
        journal = JournalWriter(self.session, self.scope)
        told = await journal.count_unfinished(cut_off.key, cut_off.used, month_of())
        if told is not None and cut_off.used.model_calls:
            self.tell(run, "run.usage", told)

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
        self.tell(run, "run.waiting", {"pending_id": pending_id(run.id, run.turn, pending), "calls": calls})

    def _over(self, run: Run, told: dict[str, JsonValue]) -> None:
        self.tell(run, f"run.{run.status}", {"agent": run.agent, **told})

    def tell(self, run: Run, type_: str, data: dict[str, JsonValue]) -> None:
        log_ = EventLog(self.session, self.scope, self.context.resources.announcer)
        log_.append(News(type_, "run", str(run.id), data))


def _pause(interrupted: Interrupted, failing: timedelta, lasting: timedelta) -> timedelta | None:
    if interrupted.not_asked:
        return after_turned_away(failing, lasting, interrupted.retry_after or timedelta())
    return next_attempt(failing, lasting, interrupted.retry_after)
