"""Checks the run's limits and the project's monthly budget before each call."""

from __future__ import annotations

from collections.abc import Iterator

from partywall.features.agents.definition import Limits
from partywall.features.budgets.limits import Call, Exceeded, Usage, refuse_spent
from partywall.features.budgets.status import BudgetStatus


def refuse_exceeded(call: Call, run: Usage, limits: Limits, month: BudgetStatus) -> None:
    """Raises Exceeded if a limit of the run or of the project's month is reached."""
    for what in _reached(call, run, limits):
        raise Exceeded("run_limit_reached", f"The agent's limit of {what} for one run is reached.")
    refuse_spent(call, month.used, month.budget)


def _reached(call: Call, run: Usage, limits: Limits) -> Iterator[str]:
    if call is Call.MODEL and run.model_calls >= limits.model_calls:
        yield f"{limits.model_calls} model calls"
    if call is Call.TOOL and run.tool_calls >= limits.tool_calls:
        yield f"{limits.tool_calls} tool calls"
    if run.tokens >= limits.tokens:
        yield f"{limits.tokens} tokens"
    if limits.cost is not None and run.cost >= limits.cost:
        yield f"{limits.cost} US dollars"
    if run.seconds >= limits.time.total_seconds():
        yield f"{limits.time.total_seconds():.0f} seconds"
