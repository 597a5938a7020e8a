"""A run's journal: what is finished is answered from it, what is not is done and written down."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final
from uuid import NAMESPACE_OID, uuid5

from pydantic import JsonValue

from partywall.core.db.session import AsyncSession
from partywall.core.events.log import EventLog, News
from partywall.core.jobs.context import JobContext
from partywall.core.tenancy import ProjectScope
from partywall.features.agents.budgets import Call, month_of, refuse_exceeded
from partywall.features.agents.definition import Limits
from partywall.features.agents.jobs import RunAgent
from partywall.features.agents.journal_repository import JournalReader, JournalWriter, Spent, StepKey
from partywall.features.agents.models import Run
from partywall.features.agents.steps import short_arguments
from partywall.features.projects.rights import Right, require

_STEP: Final[ContextVar[StepKey | None]] = ContextVar("partywall_run_step", default=None)


class CancelRequestedError(Exception):
    """Somebody wants the run to end."""


class WorkerStopsError(Exception):
    """The worker is to end; another goes on."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    name: str
    arguments: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a step answered, as JSON; `used` is what it cost, `told` the end of its story in the event log."""

    payload: object
    used: Spent
    told: Mapping[str, JsonValue] = field(default_factory=dict)


def current_step() -> StepKey:
    step = _STEP.get()
    if step is None:
        raise RuntimeError("only a tool that is being called has a step")
    return step


def idempotency_key(key: StepKey) -> str:
    """The same for every repeat of the step."""
    return str(uuid5(NAMESPACE_OID, f"{key.run_id}/{key.turn}/{key.name}/{key.number}"))


@dataclass(slots=True)
class Journal:
    """Of one turn of a run, in one worker. Steps are asked for in the same order each time."""

    context: JobContext
    payload: RunAgent
    turn: int
    limits: Limits
    finished: Mapping[tuple[str, int], JsonValue]
    _seen: Counter[str] = field(default_factory=Counter)

    async def step(
        self, call: Call, name: str, work: Callable[[], Awaitable[StepResult]], tool: ToolCall | None = None
    ) -> tuple[object, bool]:
        """The payload of the step, and whether it was done now. `work` is not called for one that is finished.

        Raises Exceeded before a call that a budget forbids, CancelRequestedError, and LeaseLostError instead of writing
        for a job that is no longer ours.
        """
        self._seen[name] += 1
        key = StepKey(self.payload.run_id, self.turn, name, self._seen[name])
        if (name, key.number) in self.finished:
            return self.finished[name, key.number], False
        await self._begin(call, key, tool)
        token = _STEP.set(key)
        try:
            result = await work()
        finally:
            _STEP.reset(token)
        await self._finish(key, result, tool)
        return result.payload, True

    @property
    def model_calls(self) -> int:
        """How many model calls of this turn were asked for by now."""
        return sum(count for name, count in self._seen.items() if ".request" in name)

    async def tell(self, type_: str, data: dict[str, JsonValue]) -> None:
        """News of its own, without a row."""
        await self.context.tell(self.payload, News(type_, "run", str(self.payload.run_id), data))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[tuple[AsyncSession, ProjectScope]]:
        """Fenced by the lease, and only while whoever started the run may still run agents."""
        async with self.context.begin(self.payload) as (session, scope):
            require(scope, Right.RUN_START)
            yield session, scope

    async def _begin(self, call: Call, key: StepKey, tool: ToolCall | None) -> None:
        async with self.transaction() as (session, scope):
            run, budget, used = await JournalReader(session, scope).standing(key.run_id, month_of())
            if run.cancel_requested_at is not None:
                raise CancelRequestedError
            refuse_exceeded(call, run, self.limits, budget, used)
            attempt = await JournalWriter(session, scope).begin(key)
            if tool is not None and attempt == 1:
                data: dict[str, JsonValue] = {"tool": tool.name, "arguments": short_arguments(tool.arguments)}
                self._append(session, scope, "run.tool_called", {**data, "key": idempotency_key(key)})

    async def _finish(self, key: StepKey, result: StepResult, tool: ToolCall | None) -> None:
        async with self.transaction() as (session, scope):
            writer = JournalWriter(session, scope)
            await writer.finish(key, result.payload)
            run = await writer.spend(key.run_id, month_of(), result.used)
            if tool is not None:
                data: dict[str, JsonValue] = {"tool": tool.name, **result.told}
                self._append(session, scope, "run.tool_returned", {**data, "key": idempotency_key(key)})
            else:
                self._append(session, scope, "run.usage", usage_of(run))

    def _append(self, session: AsyncSession, scope: ProjectScope, type_: str, data: dict[str, JsonValue]) -> None:
        log = EventLog(session, scope, self.context.resources.announcer)
        log.append(News(type_, "run", str(self.payload.run_id), data))


def usage_of(run: Run) -> dict[str, JsonValue]:
    return {
        "model_calls": run.model_calls,
        "tool_calls": run.tool_calls,
        "input_tokens": run.input_tokens,
        "output_tokens": run.output_tokens,
        "cost": f"{run.cost.normalize():f}" if run.priced else None,
    }
