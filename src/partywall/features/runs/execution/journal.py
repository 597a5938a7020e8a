"""A run's journal: finished steps are answered from it; other steps are executed and recorded."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field
from typing import Final, Protocol
from uuid import NAMESPACE_OID, uuid5

from pydantic import JsonValue

from partywall.core.db.scoped_access import ScopedReader
from partywall.core.db.scoped_query import ScopedQuery, Value
from partywall.core.db.session import AsyncSession
from partywall.core.events.log import EventDraft, event_drafts_json
from partywall.core.jobs.context import JobContext
from partywall.core.rights import require
from partywall.core.tenancy import SharedScope
from partywall.features.agents.definition import Limits
from partywall.features.budgets.limits import Call, month_of
from partywall.features.runs.execution.journal_repository import StepKey, StepUsage, usage_before_call
from partywall.features.runs.execution.limits import refuse_exceeded
from partywall.features.runs.execution.steps import short_arguments
from partywall.features.runs.jobs import RunAgent
from partywall.features.runs.models import Run
from partywall.features.runs.rights import RUN_START

_BEGIN: Final = ScopedQuery.text("""
    SELECT role AS wall_role, owns_lease, appended AS wall_appended FROM wall.begin_step(
        :principal, :project_id, :roles, :job, :lease, :run, :turn, :name, :number, :events
    )
""")
_FINISH: Final = ScopedQuery.text("""
    SELECT role AS wall_role, owns_lease, appended AS wall_appended FROM wall.finish_step(
        :principal, :project_id, :roles, :job, :lease, :run, :turn, :name, :number, :result, :events, :month,
        :model_calls, :tool_calls, :input_tokens, :output_tokens, :seconds, :cost
    )
""")
_MAY_RUN: Final = list(RUN_START.roles)
_STEP: Final[ContextVar[StepKey | None]] = ContextVar("partywall_run_step", default=None)


class CancelRequestedError(Exception):
    """A user has requested to cancel the run."""


class WorkerStopsError(Exception):
    """The worker is stopping; another one continues the run."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    name: str
    arguments: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class StepResult:
    """A step's result as JSON; `event_data` goes into the event of its end."""

    payload: object
    event_data: Mapping[str, JsonValue] = field(default_factory=dict)


class Work(Protocol):
    """The work of one step, executed once."""

    async def do(self) -> StepResult: ...

    def used(self) -> StepUsage:
        """The usage so far, also of an interrupted step."""
        ...


@dataclass(frozen=True, slots=True)
class InterruptedStep:
    """A step that was started but not finished, and its usage."""

    key: StepKey
    used: StepUsage


def current_step() -> StepKey:
    step = _STEP.get()
    if step is None:
        raise RuntimeError("there is no current step outside of a tool call")
    return step


def idempotency_key(key: StepKey) -> str:
    """The same for every repeat of the step."""
    return str(uuid5(NAMESPACE_OID, f"{key.run_id}/{key.turn}/{key.name}/{key.number}"))


@dataclass(slots=True)
class Journal:
    """The journal of one turn of a run, in one worker. Steps must come in the same order each time."""

    context: JobContext
    payload: RunAgent
    turn: int
    limits: Limits
    finished: Mapping[tuple[str, int], JsonValue]
    # A model's last deltas, recorded in the transaction that ends its step.
    last_deltas: Sequence[EventDraft] = ()
    # Not counted yet: the transaction that ends the job counts it.
    interrupted_step: InterruptedStep | None = None
    _seen: Counter[str] = field(default_factory=Counter)

    async def step(self, call: Call, name: str, work: Work, tool: ToolCall | None = None) -> tuple[object, bool]:
        """The payload of the step, and whether it was executed now. A finished step is not executed again.

        Raises Exceeded before a call that is over budget, CancelRequestedError, and LeaseLostError instead of writing
        without the lease.
        """
        self._seen[name] += 1
        key = StepKey(self.payload.run_id, self.turn, name, self._seen[name])
        if (name, key.number) in self.finished:
            return self.finished[name, key.number], False
        await self._begin(call, key, tool)
        token = _STEP.set(key)
        try:
            result = await work.do()
            await self._finish(key, result, work.used(), tool)
        except BaseException:
            self.interrupted_step = InterruptedStep(key, work.used())
            raise
        finally:
            _STEP.reset(token)
        self.context.progressed()
        return result.payload, True

    @property
    def model_calls(self) -> int:
        """The number of model calls of this turn so far."""
        return sum(count for name, count in self._seen.items() if ".request" in name)

    async def record_event(self, type_: str, data: dict[str, JsonValue]) -> None:
        """Records an event that belongs to no step."""
        await self.context.record_event(self.payload, EventDraft(type_, "run", str(self.payload.run_id), data))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[tuple[AsyncSession, SharedScope]]:
        """Fenced by the lease; requires that the run's principal may still run agents."""
        async with self.context.begin(self.payload) as (session, scope):
            require(scope, RUN_START)
            yield session, scope

    async def _begin(self, call: Call, key: StepKey, tool: ToolCall | None) -> None:
        scope, now = await usage_before_call(self._reader, self.payload.project_id, key.run_id, month_of())
        require(scope, RUN_START)
        if now.cancelled:
            raise CancelRequestedError
        refuse_exceeded(call, now.run, self.limits, now.month)
        event_drafts = None
        if tool is not None:
            event_drafts = self._event_draft(
                key, "run.tool_called", tool, {"arguments": short_arguments(tool.arguments)}
            )
        await self._run(_BEGIN, key, {"events": event_drafts})

    async def _finish(self, key: StepKey, result: StepResult, used: StepUsage, tool: ToolCall | None) -> None:
        """After a model call's last deltas, the database itself records the event of its usage."""
        if tool is None:
            event_drafts, self.last_deltas = event_drafts_json(self.last_deltas), ()
        else:
            event_drafts = self._event_draft(key, "run.tool_returned", tool, result.event_data)
        values = {"result": json.dumps(result.payload), "events": event_drafts, "month": month_of(), **asdict(used)}
        await self._run(_FINISH, key, values)

    async def _run(self, query: ScopedQuery, key: StepKey, values: Mapping[str, Value]) -> None:
        step: dict[str, Value] = {"run": key.run_id, "turn": key.turn, "name": key.name, "number": key.number}
        require(await self.context.run(self.payload, query, _MAY_RUN, {**step, **values}), RUN_START)

    def _event_draft(self, key: StepKey, type_: str, tool: ToolCall, event_data: Mapping[str, JsonValue]) -> str:
        data: dict[str, JsonValue] = {"tool": tool.name, **event_data, "key": idempotency_key(key)}
        return event_drafts_json([EventDraft(type_, "run", str(self.payload.run_id), data)])

    @property
    def _reader(self) -> ScopedReader:
        return self.context.resources.reader(self.payload.acting)


def usage_of(run: Run) -> dict[str, JsonValue]:
    return {
        "model_calls": run.model_calls,
        "tool_calls": run.tool_calls,
        "input_tokens": run.input_tokens,
        "output_tokens": run.output_tokens,
        "cost": f"{run.cost.normalize():f}" if run.priced else None,
    }
