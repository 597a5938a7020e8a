"""Calls each method of the agent and run repositories with another project's rows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID

from partywall.features.runs.execution.journal_repository import StepKey, StepUsage
from partywall.features.runs.repository import RunWriter
from tests.isolation.seeded_project import SeededProject

# lint: Any - each call knows its own repository
type Call = Callable[[Any, SeededProject], Awaitable[object]]

MONTH: Final = date(2026, 11, 1)


def run(seeded_project: SeededProject) -> UUID:
    return UUID(seeded_project.ids["run_id"])


def step(seeded_project: SeededProject) -> StepKey:
    return StepKey(run(seeded_project), 1, "a step", 1)


def unfinished(seeded_project: SeededProject) -> StepKey:
    return StepKey(run(seeded_project), 1, "a step that was cut off", 2)


async def _waits_for(r: RunWriter, seeded_project: SeededProject) -> object:
    await r.retry_later(run(seeded_project), 1, timedelta(minutes=1))
    return await r.waits_for(run(seeded_project))


async def _deleted(r: RunWriter, seeded_project: SeededProject) -> None:
    await r.succeed(run(seeded_project), {})
    await r.delete(run(seeded_project))


async def _failing_for(r: RunWriter, seeded_project: SeededProject) -> object:
    await r.retry_later(run(seeded_project), 1, timedelta(minutes=1))
    return await r.failing_for(run(seeded_project))


AGENT_CALLS: Final[dict[str, Call]] = {
    "AdmissionRepository.open": lambda r, _: r.open(),
    "BudgetRepository.allowed": lambda r, _: r.allowed(),
    "BudgetRepository.budget": lambda r, _: r.budget(),
    "BudgetRepository.used": lambda r, _: r.used(MONTH),
    "BudgetWriter.put": lambda r, _: r.put(tokens=1, tool_calls=None, seconds=None, cost=None),
    "JournalReader.effect": lambda r, seeded_project: r.effect(step(seeded_project)),
    "JournalReader.finished": lambda r, seeded_project: r.finished(run(seeded_project), 1),
    "JournalWriter.count_unfinished": lambda r, seeded_project: r.count_unfinished(
        unfinished(seeded_project), StepUsage(model_calls=1), MONTH
    ),
    "JournalWriter.note_effect": lambda r, seeded_project: r.note_effect(step(seeded_project), "done"),
    "RunRepository.count": lambda r, _: r.count({}),
    "RunRepository.get": lambda r, seeded_project: r.get(run(seeded_project)),
    "RunRepository.last_turn": lambda r, seeded_project: r.last_turn(run(seeded_project)),
    "RunRepository.page": lambda r, _: r.page({}, "created_at", 10, 0, None),
    "RunRepository.is_continued": lambda r, seeded_project: r.is_continued(run(seeded_project)),
    "RunRepository.size_of_messages": lambda r, seeded_project: r.size_of_messages(run(seeded_project)),
    "RunRepository.turn": lambda r, seeded_project: r.turn(run(seeded_project), 1),
    "RunWriter.add": lambda r, _: r.add("assistant", {}, None, None),
    "RunWriter.begin": lambda r, seeded_project: r.begin(run(seeded_project), 1),
    "RunWriter.cancel": lambda r, seeded_project: r.cancel(run(seeded_project)),
    "RunWriter.fail": lambda r, seeded_project: r.fail(run(seeded_project), "taken", "taken"),
    "RunWriter.go_on": lambda r, seeded_project: r.go_on(run(seeded_project), 2),
    "RunWriter.leave_off": lambda r, seeded_project: r.leave_off(run(seeded_project)),
    "RunWriter.requeue": lambda r, seeded_project: r.requeue(run(seeded_project), 1),
    "RunWriter.failing_for": _failing_for,
    "RunWriter.retry_later": lambda r, seeded_project: r.retry_later(run(seeded_project), 1, timedelta(minutes=1)),
    "RunWriter.waits_for": _waits_for,
    "RunWriter.request_cancel": lambda r, seeded_project: r.request_cancel(run(seeded_project)),
    "RunWriter.succeed": lambda r, seeded_project: r.succeed(run(seeded_project), {}),
    "RunWriter.wait": lambda r, seeded_project: r.wait(run(seeded_project), []),
    "RunWriter.delete": _deleted,
    "RunWriter.decide": lambda r, seeded_project: r.decide(run(seeded_project), 1, {"approve": True}),
    "RunWriter.end_turn": lambda r, seeded_project: r.end_turn(run(seeded_project), 2, []),
    "RunWriter.lock": lambda r, seeded_project: r.lock(run(seeded_project)),
}
# A lock that is open to everybody and protects no data.
HARMLESS: Final = {"AdmissionRepository.lock", "BudgetWriter.lock"}
# Rows that these calls need besides the one row in every table.
STARTED: Final = """
    WITH another AS (
        INSERT INTO run (project_id, agent, input, principal, continues) VALUES ($1, 'assistant', '{}', 'user:x', $2)
    )
    INSERT INTO run_step (project_id, run_id, turn, name, number, effect, result, finished_at)
    SELECT $1, $2, 1, 'a step', 1, '["done"]', '{}', now()
"""
