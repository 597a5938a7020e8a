from __future__ import annotations

from decimal import Decimal

from pydantic_ai.messages import ModelResponse


def cost_of(response: ModelResponse) -> Decimal | None:
    """In US dollars; None where the price of the model is not known, or the response does not say what it used."""
    try:
        return response.cost().total_price
    except (LookupError, ValueError, AssertionError):
        return None
