"""What a project's runs may use in a month, and whether the next call still fits; pure functions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from partywall.core.clock import utc_now


class Call(StrEnum):
    MODEL = "model"
    TOOL = "tool"


class Exceeded(Exception):
    """`code` is `run_limit_reached` or `project_budget_exceeded`."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


def month_of(instant: datetime | None = None) -> date:
    """The first day of the calendar month, in UTC."""
    return (instant or utc_now()).date().replace(day=1)


@dataclass(frozen=True, slots=True)
class Usage:
    """Of one run, or of all runs of a project in a month (without model calls)."""

    tokens: int
    tool_calls: int
    seconds: float
    cost: Decimal
    model_calls: int = 0


@dataclass(frozen=True, slots=True)
class Budget:
    """A project's limits for a month; None means no limit."""

    tokens: int | None
    tool_calls: int | None
    seconds: int | None
    cost: Decimal | None


def cost_limit(cost: Decimal | None, usual: Decimal | None, most: Decimal | None, *, own: bool) -> Decimal | None:
    """The project's own budget, or the operator's default `usual` if it has none; `most` caps both."""
    limits = [each for each in (cost if own else usual, most) if each is not None]
    return min(limits, default=None)


def refuse_spent(call: Call, month: Usage, budget: Budget) -> None:
    """Raises Exceeded if the budget is used up. Concurrent calls of the same project are not counted."""
    for what in _spent(call, month, budget):
        raise Exceeded("project_budget_exceeded", f"The project's budget of {what} for this month is used up.")


def _spent(call: Call, month: Usage, budget: Budget) -> Iterator[str]:
    if budget.tokens is not None and month.tokens >= budget.tokens:
        yield f"{budget.tokens} tokens"
    if budget.cost is not None and month.cost >= budget.cost:
        yield f"{budget.cost.normalize():f} US dollars"
    if budget.seconds is not None and month.seconds >= budget.seconds:
        yield f"{budget.seconds} seconds"
    if call is Call.TOOL and budget.tool_calls is not None and month.tool_calls >= budget.tool_calls:
        yield f"{budget.tool_calls} tool calls"
