"""The amounts that a budget accepts, as in its schema."""

from __future__ import annotations

import math
import re
from decimal import Decimal

import pytest
from pydantic import ValidationError

from partywall.features.budgets.schemas import BudgetUpdate

MISWRITTEN = (
    "",
    " ",
    "1e3",
    ".5",
    "5.",
    "+5",
    "-0",
    " 5",
    "5\n",
    "1_000",
    "٣",
    "NaN",
    "Infinity",
    "0.1234567",
    "9" * 5000,
)
OUTSIDE: tuple[object, ...] = (
    "1000000000.1",
    1_000_000_001,
    -1,
    10**400,
    math.nan,
    math.inf,
    -1e-9,
    True,
    None,
    [],
    {},
)
WHOLE = ("tokens", "tool_calls", "seconds")


@pytest.mark.parametrize("given", ["0", "25.00", "0.000001", "999999999.999999", "1000000000", "1000000000.00", "007"])
def test_an_amount_in_digits(given: str) -> None:
    assert re.search(_pattern(), given)
    update = BudgetUpdate.model_validate({"cost": {"amount": given}})
    assert update.cost is not None
    assert update.cost.amount == Decimal(given)


@pytest.mark.parametrize("given", [*MISWRITTEN, *OUTSIDE])
def test_what_is_no_amount(given: object) -> None:
    with pytest.raises(ValidationError):
        BudgetUpdate.model_validate({"cost": {"amount": given}})
    assert not isinstance(given, str) or given == "5\n" or not re.search(_pattern(), given)


@pytest.mark.parametrize(
    ("given", "kept"), [(0.1 + 0.2, "0.3"), (1e-7, "0"), (-0.0, "0"), (5, "5"), (1e9, "1000000000")]
)
def test_a_number_is_rounded(given: float, kept: str) -> None:
    update = BudgetUpdate.model_validate({"cost": {"amount": given}})
    assert update.cost is not None
    assert update.cost.amount == Decimal(kept)
    assert not update.cost.amount.is_signed()


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_number_may_have_a_fraction_of_nothing(name: str) -> None:
    for given in (3, 3.0, 2.0**53):
        assert getattr(BudgetUpdate.model_validate({name: given}), name) == int(given)
    for refused in (3.5, -1, -1.0, 2.0**54, math.nan, math.inf, True, "3"):
        with pytest.raises(ValidationError):
            BudgetUpdate.model_validate({name: refused})
    [bounds, _] = BudgetUpdate.model_json_schema()["properties"][name]["anyOf"]
    assert bounds == {"type": "integer", "minimum": 0, "maximum": 2**53}


def _pattern() -> str:
    [_, text] = BudgetUpdate.model_json_schema()["$defs"]["DollarAmount"]["properties"]["amount"]["anyOf"]
    return str(text["pattern"])
