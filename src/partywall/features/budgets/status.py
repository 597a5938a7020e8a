"""A project's budget and usage as part of a higher slice's statement, so that one round trip reads both."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from uuid import UUID

import asyncpg
from sqlalchemy import ColumnElement, Date, Numeric, Select, and_, bindparam, case, func
from sqlalchemy.orm import InstrumentedAttribute

from partywall.core.db.scoped_query import PROJECT_ID
from partywall.features.budgets.limits import Budget, Usage
from partywall.features.budgets.models import AgentBudget, AgentUsage

# In the field order of Usage and Budget.
_MEASURED: Final = ("tokens", "tool_calls", "seconds", "cost")


@dataclass(frozen=True, slots=True)
class BudgetStatus:
    """What the project's runs have used in the month, and what they may use."""

    used: Usage
    budget: Budget

    @classmethod
    def of(cls, row: asyncpg.Record) -> BudgetStatus:
        """From a row of a statement `with_budget`."""
        used, budget = ([row[f"{what}_{name}"] for name in _MEASURED] for what in ("month", "budget"))
        return cls(Usage(*used), Budget(*budget))


def with_budget(
    statement: Select[*tuple[object, ...]], project: InstrumentedAttribute[UUID]
) -> Select[*tuple[object, ...]]:
    """The statement with the columns that `BudgetStatus.of` reads: of the `project` column's row, in the bound `month`.

    The operator's limits are those of PROJECT_ID.
    """
    in_month = and_(AgentUsage.project_id == project, AgentUsage.month == bindparam("month", type_=Date))
    return (
        statement.add_columns(
            *(func.coalesce(getattr(AgentUsage, name), 0).label(f"month_{name}") for name in _MEASURED),
            *(getattr(AgentBudget, name).label(f"budget_{name}") for name in _MEASURED[:-1]),
            _cost_limit().label("budget_cost"),
        )
        .outerjoin(AgentBudget, AgentBudget.project_id == project)
        .outerjoin(AgentUsage, in_month)
    )


def _cost_limit() -> ColumnElement[Decimal | None]:
    """The project's own limit, or the operator's if it has none; the operator's `spending` quota caps both."""
    usual = func.wall.quota_of(PROJECT_ID, "budget")
    own = case((AgentBudget.project_id.is_not(None), AgentBudget.cost), else_=usual)
    return func.least(own, func.wall.quota_of(PROJECT_ID, "spending"), type_=Numeric)
