from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import ColumnElement, Row, and_, func, select, true, update
from sqlalchemy.dialects.postgresql import insert

from partywall.core.db.session import AsyncReadSession, AsyncSession
from partywall.core.tenancy import ProjectScope
from partywall.features.agents.models import AgentBudget, AgentUsage, Run, RunStep


@dataclass(frozen=True, slots=True)
class StepKey:
    """`number` counts from 1 among the steps of that name in the turn."""

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
class Spent:
    """What one step used. `cost` is None where the price is not known."""

    model_calls: int = 0
    tool_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    seconds: float = 0.0
    cost: Decimal | None = Decimal(0)


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
        """What the step's effect answered, in a list; None where it has not happened."""
        found: JsonValue = await self.session.scalar(
            select(RunStep.effect).where(RunStep.project_id == self.scope.project_id, _step(key))
        )
        return found

    async def standing(self, run_id: UUID, month: date) -> Row[Run, AgentBudget | None, AgentUsage | None]:
        """The run with the project's budget and what of it is used."""
        project = self.scope.project_id
        found = await self.session.execute(
            select(Run, AgentBudget, AgentUsage)
            .outerjoin(AgentBudget, AgentBudget.project_id == Run.project_id)
            .outerjoin(AgentUsage, and_(AgentUsage.project_id == Run.project_id, AgentUsage.month == month))
            .where(Run.project_id == project, Run.id == run_id)
            .execution_options(populate_existing=True)
        )
        return found.one()


@dataclass(frozen=True, slots=True)
class JournalWriter:
    session: AsyncSession
    scope: ProjectScope

    async def begin(self, key: StepKey) -> int:
        """The number of this attempt, from 1."""
        made = insert(RunStep).values(
            project_id=self.scope.project_id, run_id=key.run_id, turn=key.turn, name=key.name, number=key.number
        )
        number: int | None = await self.session.scalar(
            made.on_conflict_do_update(
                index_elements=[RunStep.project_id, RunStep.run_id, RunStep.turn, RunStep.name, RunStep.number],
                set_={"attempts": RunStep.attempts + 1},
            ).returning(RunStep.attempts)
        )
        assert number is not None
        return number

    async def note_effect(self, key: StepKey, answer: JsonValue) -> None:
        await self.session.execute(
            update(RunStep).where(RunStep.project_id == self.scope.project_id, _step(key)).values(effect=[answer])
        )

    async def finish(self, key: StepKey, result: object) -> None:
        await self.session.execute(
            update(RunStep)
            .where(RunStep.project_id == self.scope.project_id, _step(key))
            .values(result=result, finished_at=func.clock_timestamp())
        )

    async def spend(self, run_id: UUID, month: date, spent: Spent) -> Run:
        """Adds to the run and to the project's month; the run has made progress, so its attempts begin anew."""
        cost = spent.cost or Decimal(0)
        tokens = spent.input_tokens + spent.output_tokens
        used = {"tokens": tokens, "tool_calls": spent.tool_calls, "seconds": spent.seconds, "cost": cost}
        added = insert(AgentUsage).values(project_id=self.scope.project_id, month=month, **used)
        await self.session.execute(
            added.on_conflict_do_update(
                index_elements=[AgentUsage.project_id, AgentUsage.month],
                set_={name: getattr(AgentUsage, name) + amount for name, amount in used.items()},
            )
        )
        changed = await self.session.scalars(
            update(Run)
            .where(Run.project_id == self.scope.project_id, Run.id == run_id)
            .values(
                model_calls=Run.model_calls + spent.model_calls,
                tool_calls=Run.tool_calls + spent.tool_calls,
                input_tokens=Run.input_tokens + spent.input_tokens,
                output_tokens=Run.output_tokens + spent.output_tokens,
                seconds=Run.seconds + spent.seconds,
                cost=Run.cost + cost,
                priced=Run.priced if spent.cost is not None else ~true(),
                attempts=0,
                state=Run.state + 1,
            )
            .returning(Run)
            .execution_options(populate_existing=True)
        )
        return changed.one()
