from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

from partywall.core.db.session import AsyncReadSession, AsyncSession
from partywall.core.errors import QuotaExceededError
from partywall.core.events.log import EventDraft, publish
from partywall.core.preconditions import require_match
from partywall.core.tenancy import ProjectScope, SharedScope
from partywall.features.agents.admission_repository import AdmissionRepository
from partywall.features.agents.budget_repository import BudgetRepository, BudgetWriter
from partywall.features.agents.budgets import cost_limit, month_of
from partywall.features.agents.models import AgentBudget, AgentUsage
from partywall.features.agents.presentation import dollars
from partywall.features.agents.schemas import Budget, BudgetLimits, BudgetUpdate, BudgetUsed
from partywall.features.projects.rights import Right, require


@dataclass(frozen=True, slots=True)
class ShownBudget:
    """A budget, and the revision for its entity tag."""

    budget: Budget
    revision: int


async def get_budget(session: AsyncReadSession, scope: ProjectScope) -> ShownBudget:
    """The project's budget; only the operator's limits apply if none was set."""
    require(scope, Right.RUN_READ)
    return await _shown(session, scope, await BudgetRepository(session, scope).budget())


async def _shown(session: AsyncReadSession, scope: ProjectScope, row: AgentBudget | None) -> ShownBudget:
    month = month_of()
    repository = BudgetRepository(session, scope)
    used = await repository.used(month)
    cost = cost_limit(row.cost if row else None, *await repository.allowed(), own=row is not None)
    return ShownBudget(_present(row, used, month, cost), row.revision if row else 0)


def _present(row: AgentBudget | None, used: AgentUsage | None, month: date, cost: Decimal | None) -> Budget:
    return Budget(
        limits=BudgetLimits(
            tokens=row.tokens if row else None,
            tool_calls=row.tool_calls if row else None,
            seconds=row.seconds if row else None,
            cost=None if cost is None else dollars(cost),
        ),
        used=BudgetUsed(
            tokens=used.tokens if used else 0,
            tool_calls=used.tool_calls if used else 0,
            seconds=round(used.seconds, 3) if used else 0.0,
            cost=dollars(used.cost if used else Decimal(0)),
        ),
        month=f"{month:%Y-%m}",
        resets_at=_after(month),
    )


def _after(month: date) -> datetime:
    year, number = (month.year + 1, 1) if month.month == 12 else (month.year, month.month + 1)
    return datetime(year, number, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class BudgetService:
    session: AsyncSession
    scope: SharedScope

    async def put(self, wanted: BudgetUpdate, if_match: str | None = None) -> ShownBudget:
        """Applies from the next call of any run.

        Raises QuotaExceededError above the operator's limit, PreconditionFailedError unless `if_match` names the
        revision.
        """
        require(self.scope, Right.BUDGET_MANAGE)
        await AdmissionRepository(self.session, self.scope).lock()
        row = await BudgetRepository(self.session, self.scope).budget()
        require_match(if_match, row.revision if row else 0)
        await self._refuse_above(wanted)
        row = await BudgetWriter(self.session, self.scope).put(
            tokens=wanted.tokens,
            tool_calls=wanted.tool_calls,
            seconds=wanted.seconds,
            cost=wanted.cost.amount if wanted.cost else None,
        )
        event = EventDraft("project.updated", "project", str(self.scope.project_id), {"fields": ["budget"]})
        publish(self.session, self.scope, event)
        return await _shown(self.session, self.scope, row)

    async def _refuse_above(self, wanted: BudgetUpdate) -> None:
        repository = BudgetRepository(self.session, self.scope)
        _, most = await repository.allowed()
        if wanted.cost is None or most is None or wanted.cost.amount <= most:
            return
        used = await repository.used(month_of())
        spent = dollars(used.cost if used else Decimal(0)).amount
        raise QuotaExceededError("spending", spent, dollars(wanted.cost.amount).amount, dollars(most).amount)
