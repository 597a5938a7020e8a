from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from partywall.core.db.session import AsyncReadSession, AsyncSession
from partywall.core.errors import QuotaExceededError
from partywall.core.events.log import EventDraft, publish
from partywall.core.preconditions import require_match
from partywall.core.rights import require
from partywall.core.tenancy import ProjectScope, SharedScope
from partywall.features.agents.rights import RUN_READ
from partywall.features.budgets.limits import cost_limit, month_of
from partywall.features.budgets.models import AgentBudget
from partywall.features.budgets.presentation import dollars, present
from partywall.features.budgets.repository import BudgetRepository, BudgetWriter
from partywall.features.budgets.rights import BUDGET_MANAGE
from partywall.features.budgets.schemas import Budget, BudgetUpdate


@dataclass(frozen=True, slots=True)
class ShownBudget:
    """A budget, and the revision for its entity tag."""

    budget: Budget
    revision: int


async def get_budget(session: AsyncReadSession, scope: ProjectScope) -> ShownBudget:
    """The project's budget; only the operator's limits apply if none was set."""
    require(scope, RUN_READ)
    return await _shown(session, scope, await BudgetRepository(session, scope).budget())


async def _shown(session: AsyncReadSession, scope: ProjectScope, row: AgentBudget | None) -> ShownBudget:
    month = month_of()
    repository = BudgetRepository(session, scope)
    used = await repository.used(month)
    cost = cost_limit(row.cost if row else None, *await repository.allowed(), own=row is not None)
    return ShownBudget(present(row, used, month, cost), row.revision if row else 0)


@dataclass(frozen=True, slots=True)
class BudgetService:
    session: AsyncSession
    scope: SharedScope

    async def put(self, wanted: BudgetUpdate, if_match: str | None = None) -> ShownBudget:
        """Applies from the next call of any run.

        Raises QuotaExceededError above the operator's limit, PreconditionFailedError unless `if_match` names the
        revision.
        """
        require(self.scope, BUDGET_MANAGE)
        await BudgetWriter(self.session, self.scope).lock()
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
