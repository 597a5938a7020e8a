"""Of the repositories of agents and their runs: one call of each method, about what stands in another room."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID

from partywall.features.agents.journal_repository import Spent, StepKey
from partywall.features.agents.repository import RunWriter
from tests.isolation.rooms import Room

# lint: Any - each call knows its own repository
type Call = Callable[[Any, Room], Awaitable[object]]

MONTH: Final = date(2026, 11, 1)


def run(room: Room) -> UUID:
    return UUID(room.ids["run_id"])


def step(room: Room) -> StepKey:
    return StepKey(run(room), 1, "a step", 1)


def unfinished(room: Room) -> StepKey:
    return StepKey(run(room), 1, "a step that was cut off", 2)


async def _waits_for(r: RunWriter, room: Room) -> object:
    await r.retry_later(run(room), 1, timedelta(minutes=1))
    return await r.waits_for(run(room))


async def _deleted(r: RunWriter, room: Room) -> None:
    await r.succeed(run(room), {})
    await r.delete(run(room))


async def _failing_for(r: RunWriter, room: Room) -> object:
    await r.retry_later(run(room), 1, timedelta(minutes=1))
    return await r.failing_for(run(room))


AGENT_CALLS: Final[dict[str, Call]] = {
    "AdmissionRepository.open": lambda r, _: r.open(),
    "BudgetRepository.allowed": lambda r, _: r.allowed(),
    "BudgetRepository.budget": lambda r, _: r.budget(),
    "BudgetRepository.used": lambda r, _: r.used(MONTH),
    "BudgetWriter.put": lambda r, _: r.put(tokens=1, tool_calls=None, seconds=None, cost=None),
    "JournalReader.effect": lambda r, room: r.effect(step(room)),
    "JournalReader.finished": lambda r, room: r.finished(run(room), 1),
    "JournalWriter.count_unfinished": lambda r, room: r.count_unfinished(unfinished(room), Spent(model_calls=1), MONTH),
    "JournalWriter.note_effect": lambda r, room: r.note_effect(step(room), "done"),
    "RunRepository.count": lambda r, _: r.count({}),
    "RunRepository.get": lambda r, room: r.get(run(room)),
    "RunRepository.last_turn": lambda r, room: r.last_turn(run(room)),
    "RunRepository.page": lambda r, _: r.page({}, "created_at", 10, 0, None),
    "RunRepository.size_of_messages": lambda r, room: r.size_of_messages(run(room)),
    "RunRepository.turn": lambda r, room: r.turn(run(room), 1),
    "RunWriter.add": lambda r, _: r.add("assistant", {}, None, None),
    "RunWriter.begin": lambda r, room: r.begin(run(room), 1),
    "RunWriter.cancel": lambda r, room: r.cancel(run(room)),
    "RunWriter.fail": lambda r, room: r.fail(run(room), "taken", "taken"),
    "RunWriter.go_on": lambda r, room: r.go_on(run(room), 2),
    "RunWriter.leave_off": lambda r, room: r.leave_off(run(room)),
    "RunWriter.put_back": lambda r, room: r.put_back(run(room), 1),
    "RunWriter.failing_for": _failing_for,
    "RunWriter.retry_later": lambda r, room: r.retry_later(run(room), 1, timedelta(minutes=1)),
    "RunWriter.waits_for": _waits_for,
    "RunWriter.request_cancel": lambda r, room: r.request_cancel(run(room)),
    "RunWriter.succeed": lambda r, room: r.succeed(run(room), {}),
    "RunWriter.wait": lambda r, room: r.wait(run(room), []),
    "RunWriter.delete": _deleted,
    "RunWriter.decide": lambda r, room: r.decide(run(room), 1, {"approve": True}),
    "RunWriter.end_turn": lambda r, room: r.end_turn(run(room), 2, []),
    "RunWriter.lock": lambda r, room: r.lock(run(room)),
}
# A lock that everybody may take, and that holds nothing.
HARMLESS: Final = {"AdmissionRepository.lock"}
# Furnishes what these calls are about, beside the rows that stand in every table.
STARTED: Final = """
    WITH another AS (INSERT INTO run (project_id, agent, input, principal) VALUES ($1, 'assistant', '{}', 'user:x'))
    INSERT INTO run_step (project_id, run_id, turn, name, number, effect, result, finished_at)
    SELECT $1, $2, 1, 'a step', 1, '["done"]', '{}', now()
"""
