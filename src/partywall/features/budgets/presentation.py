"""A budget as clients see it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

from partywall.features.budgets.models import AgentBudget, AgentUsage
from partywall.features.budgets.schemas import Budget, BudgetLimits, BudgetUsed, Money


def dollars(amount: Decimal) -> Money:
    """Without trailing zeros, but with at least two decimals."""
    text = f"{amount:f}".rstrip("0") if "." in f"{amount:f}" else f"{amount:f}."
    whole, _, cents = text.partition(".")
    return Money(amount=f"{whole}.{cents.ljust(2, '0')}", currency="USD")


def present(row: AgentBudget | None, used: AgentUsage | None, month: date, cost: Decimal | None) -> Budget:
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
