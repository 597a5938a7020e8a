"""The statements that record the steps of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from typing import Final
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import ColumnElement, Select, Uuid, and_, bindparam, select, text, update
from sqlalchemy.dialects.postgresql import JSONB

from partywall.core.db.scoped_access import ScopedReader
from partywall.core.db.scoped_query import PROJECT_ID, ScopedQuery
from partywall.core.db.session import AsyncReadSession, AsyncSession
from partywall.core.tenancy import ProjectScope, SharedScope
from partywall.features.budgets.limits import Usage
from partywall.features.budgets.status import BudgetStatus, with_budget
from partywall.features.runs.models import Run, RunStep


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
    """What one step used, named as in `wall.finish_step`. `cost` is in US dollars, None if the price is unknown."""

    model_calls: int = 0
    tool_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    seconds: float = 0.0
    cost: Decimal | None = Decimal(0)


def _status(allowed: ColumnElement[bool]) -> Select[*tuple[object, ...]]:
    return with_budget(
        select(
            Run.cancel_requested_at.is_not(None).label("cancelled"),
            Run.model_calls,
            (Run.input_tokens + Run.output_tokens).label("tokens"),
            Run.tool_calls,
            Run.seconds,
            Run.cost,
        ).where(allowed, Run.project_id == PROJECT_ID, Run.id == bindparam("run_id", type_=Uuid)),
        Run.project_id,
    )


_STATUS: Final = ScopedQuery.read(_status)


@dataclass(frozen=True, slots=True)
class RunUsage:
    """What the run and its project's month have used before a call, and the month's budget."""

    cancelled: bool
    run: Usage
    month: BudgetStatus


async def usage_before_call(
    reader: ScopedReader, project_id: UUID, run_id: UUID, month: date
) -> tuple[ProjectScope, RunUsage]:
    """Raises ProjectNotFoundError if the reader has no access."""
    scope, row = await reader.row(_STATUS, project_id, {"run_id": run_id, "month": month})
    run = Usage(row["tokens"], row["tool_calls"], row["seconds"], row["cost"], row["model_calls"])
    return scope, RunUsage(row["cancelled"], run, BudgetStatus.of(row))


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
    scope: SharedScope

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
