from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Final
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import ColumnElement, Date, Numeric, Select, Uuid, and_, bindparam, case, func, select, text, update
from sqlalchemy.dialects.postgresql import JSONB

from partywall.core.db.scoped_read import PROJECT_ID, ScopedRead, ScopedReader
from partywall.core.db.session import AsyncReadSession, AsyncSession
from partywall.core.tenancy import ProjectScope
from partywall.features.agents.budgets import Budget, Usage
from partywall.features.agents.models import AgentBudget, AgentUsage, Run, RunStep

# In the field order of Usage and Budget.
_MEASURED: Final = ("tokens", "tool_calls", "seconds", "cost")


@dataclass(frozen=True, slots=True)
class StepKey:
    """`number` counts the turn's steps of that name, from 1."""

    run_id: UUID
    turn: int
    name: str
    number: int


def _step(key: StepKey) -> ColumnElement[bool]:
    return and_(
        RunStep.run_id == key.run_id,
        RunStep.turn == key.turn,
        RunStep.name == key.name,
        RunStep.number == key.number,
    )


@dataclass(frozen=True, slots=True)
class StepUsage:
    """What one step used. `cost` is in US dollars, None if the price is unknown."""

    model_calls: int = 0
    tool_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    seconds: float = 0.0
    cost: Decimal | None = Decimal(0)

    def values(self) -> tuple[int | float | Decimal | None, ...]:
        """In the order of `wall.finish_step` and `wall.count_usage`."""
        return (
            self.model_calls, self.tool_calls, self.input_tokens, self.output_tokens, self.seconds, self.cost,
        )  # fmt: skip


def _cost_limit() -> ColumnElement[Decimal | None]:
    """The project's own limit, or the operator's if it has none; the operator's `spending` quota caps both."""
    usual = func.wall.quota_of(PROJECT_ID, "budget")
    own = case((AgentBudget.project_id.is_not(None), AgentBudget.cost), else_=usual)
    return func.least(own, func.wall.quota_of(PROJECT_ID, "spending"), type_=Numeric)


def _budget_status(allowed: ColumnElement[bool]) -> Select[*tuple[object, ...]]:
    in_month = and_(AgentUsage.project_id == Run.project_id, AgentUsage.month == bindparam("month", type_=Date))
    return (
        select(
            Run.cancel_requested_at.is_not(None).label("cancelled"),
            Run.model_calls.label("run_model_calls"),
            (Run.input_tokens + Run.output_tokens).label("run_tokens"),
            Run.tool_calls.label("run_tool_calls"),
            Run.seconds.label("run_seconds"),
            Run.cost.label("run_cost"),
            *(func.coalesce(getattr(AgentUsage, name), 0).label(f"month_{name}") for name in _MEASURED),
            *(getattr(AgentBudget, name).label(f"budget_{name}") for name in _MEASURED[:-1]),
            _cost_limit().label("budget_cost"),
        )
        .outerjoin(AgentBudget, AgentBudget.project_id == Run.project_id)
        .outerjoin(AgentUsage, in_month)
        .where(allowed, Run.project_id == PROJECT_ID, Run.id == bindparam("run_id", type_=Uuid))
    )


_BUDGET_STATUS: Final = ScopedRead(_budget_status)


@dataclass(frozen=True, slots=True)
class BudgetStatus:
    """What the run and the project's month have used before a call, and the month's budget."""

    cancelled: bool
    run: Usage
    month: Usage
    budget: Budget


async def budget_status(
    reader: ScopedReader, project_id: UUID, run_id: UUID, month: date
) -> tuple[ProjectScope, BudgetStatus]:
    """Raises ProjectNotFoundError if the reader has no access."""
    scope, row = await reader.row(_BUDGET_STATUS, project_id, {"run_id": run_id, "month": month})
    run, month_, budget = ([row[f"{what}_{name}"] for name in _MEASURED] for what in ("run", "month", "budget"))
    by_run = replace(Usage(*run), model_calls=row["run_model_calls"])
    return scope, BudgetStatus(row["cancelled"], by_run, Usage(*month_), Budget(*budget))


@dataclass(frozen=True, slots=True)
class JournalReader:
    session: AsyncReadSession
    scope: ProjectScope

    async def finished(self, run_id: UUID, turn: int) -> Sequence[RunStep]:
        return (
            await self.session.scalars(
                select(RunStep).where(
                    RunStep.project_id == self.scope.project_id,
                    RunStep.run_id == run_id,
                    RunStep.turn == turn,
                    RunStep.finished_at.is_not(None),
                )
            )
        ).all()

    async def effect(self, key: StepKey) -> JsonValue:
        """The result of the step's effect, in a list of one; None if the effect has not happened."""
        found: JsonValue = await self.session.scalar(
            select(RunStep.effect).where(RunStep.project_id == self.scope.project_id, _step(key))
        )
        return found


# Counts like `wall.finish_step`, but without progress. A finished step was already counted there.
_COUNT: Final = text("""
    SELECT wall.count_usage(
        :project_id, :run_id, CAST(:month AS date), false, CAST(:model_calls AS integer), CAST(:tool_calls AS integer),
        :input_tokens, :output_tokens, :seconds, CAST(:cost AS numeric)
    ) AS used
    WHERE NOT EXISTS (
        SELECT FROM run_step
        WHERE project_id = :project_id AND run_id = :run_id AND turn = :turn AND name = :name AND number = :number
            AND finished_at IS NOT NULL
    )
""").columns(used=JSONB)


@dataclass(frozen=True, slots=True)
class JournalWriter:
    session: AsyncSession
    scope: ProjectScope

    async def note_effect(self, key: StepKey, answer: JsonValue) -> None:
        await self.session.execute(
            update(RunStep).where(RunStep.project_id == self.scope.project_id, _step(key)).values(effect=[answer])
        )

    async def count_unfinished(self, key: StepKey, used: StepUsage, month: date) -> dict[str, JsonValue] | None:
        """Adds `used` to the run and to the month; returns the run's usage so far.

        None if the step did finish and the worker only lost the answer: its usage is counted then.
        """
        values = {**asdict(key), **asdict(used), "month": month, "project_id": self.scope.project_id}
        found: dict[str, JsonValue] | None = await self.session.scalar(_COUNT, values)
        return found
