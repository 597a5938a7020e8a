from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from partywall.core.db.session import AsyncReadSession, AsyncSession
from partywall.core.tenancy import ProjectScope, SharedScope
from partywall.features.budgets.models import AgentBudget, AgentUsage


@dataclass(frozen=True, slots=True)
class BudgetRepository:
    session: AsyncReadSession
    scope: ProjectScope

    async def budget(self) -> AgentBudget | None:
        found: AgentBudget | None = await self.session.scalar(
            select(AgentBudget).where(AgentBudget.project_id == self.scope.project_id)
        )
        return found

    async def allowed(self) -> tuple[Decimal | None, Decimal | None]:
        """The operator's limits in US dollars: the default without a project budget, and the maximum."""
        limits = (func.wall.quota_of(self.scope.project_id, quota) for quota in ("budget", "spending"))
        opened = func.wall.current_project() == self.scope.project_id
        usual, most = (await self.session.execute(select(*limits).where(opened))).one()
        return usual, most

    async def used(self, month: date) -> AgentUsage | None:
        found: AgentUsage | None = await self.session.scalar(
            select(AgentUsage).where(AgentUsage.project_id == self.scope.project_id, AgentUsage.month == month)
        )
        return found


@dataclass(frozen=True, slots=True)
class BudgetWriter:
    session: AsyncSession
    scope: SharedScope

    async def lock(self) -> None:
        """Until the transaction ends, together with the starts of the account's runs; a project may have no row yet."""
        await self.session.execute(select(func.wall.lock_run_admission()))

    async def put(
        self, *, tokens: int | None, tool_calls: int | None, seconds: int | None, cost: Decimal | None
    ) -> AgentBudget:
        actor = str(self.scope.principal)
        limits = {"tokens": tokens, "tool_calls": tool_calls, "seconds": seconds, "cost": cost}
        made = insert(AgentBudget).values(project_id=self.scope.project_id, updated_by=actor, **limits)
        changed = {**limits, "updated_by": actor, "updated_at": func.now(), "revision": AgentBudget.revision + 1}
        stored = await self.session.scalars(
            made.on_conflict_do_update(index_elements=[AgentBudget.project_id], set_=changed)
            .returning(AgentBudget)
            .execution_options(populate_existing=True)
        )
        return stored.one()
