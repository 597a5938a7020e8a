from __future__ import annotations

from decimal import Decimal

from partywall.features.budgets.limits import cost_limit


def test_the_lowest_of_the_limits_of_cost() -> None:
    one, two = Decimal(1), Decimal(2)
    assert cost_limit(None, None, None, own=False) is None
    assert cost_limit(None, one, two, own=False) == one
    assert cost_limit(None, one, two, own=True) == two
    assert cost_limit(one, None, two, own=True) == one
    assert cost_limit(two, one, None, own=True) == two
