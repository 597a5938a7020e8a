from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StrictInt

from partywall.core.schemas import WHOLE, Instant, RequestModel, ResponseModel
from partywall.features.budgets.amounts import GivenAmount


class Money(ResponseModel):
    amount: str = Field(examples=["0.0125"])
    currency: Literal["USD"]


class DollarAmount(RequestModel):
    amount: GivenAmount = Field(
        description="At most one billion, with up to six decimals; numbers are rounded to six.",
        examples=["25.00"],
    )
    currency: Literal["USD"] = "USD"


_Most = Annotated[StrictInt, Field(ge=0, le=2**53), WHOLE]


class BudgetUpdate(RequestModel):
    """What all runs of the project together may use in a calendar month (UTC); null means no limit."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "tokens": 2_000_000,
                    "tool_calls": None,
                    "seconds": None,
                    "cost": {"amount": "25.00", "currency": "USD"},
                }
            ]
        }
    )

    tokens: _Most | None = None
    tool_calls: _Most | None = None
    seconds: _Most | None = None
    cost: DollarAmount | None = None


class BudgetLimits(ResponseModel):
    tokens: int | None
    tool_calls: int | None
    seconds: int | None
    cost: Money | None


class BudgetUsed(ResponseModel):
    """In the current month. Models without a known price count as free."""

    tokens: int
    tool_calls: int
    seconds: float
    cost: Money


class Budget(ResponseModel):
    limits: BudgetLimits
    used: BudgetUsed
    month: str = Field(examples=["2026-11"])
    resets_at: Instant
