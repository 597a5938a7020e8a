from __future__ import annotations

from datetime import UTC, datetime

import pytest

from partywall.features.quotas.schemas import AccountUsage, Amount, Counted, Monthly, ProjectUsage, Spending
from tests.validation_errors import refused

MONTH = datetime(2026, 12, 1, tzinfo=UTC)


@pytest.mark.parametrize("model", [ProjectUsage, AccountUsage])
def test_the_example_is_an_answer_as_it_is_written(model: type[ProjectUsage] | type[AccountUsage]) -> None:
    [example] = model.model_json_schema()["examples"]
    assert model.model_validate(example).model_dump(mode="json") == example


def test_without_limit_is_null_and_not_left_out() -> None:
    assert Counted(used=0, limit=None).model_dump(mode="json") == {"used": 0, "limit": None}
    assert refused(Counted, {"used": 0}) == {"limit": "missing"}


def test_an_instant_is_written_in_utc_with_six_decimals() -> None:
    monthly = Monthly(used=1, limit=2, resets_at=MONTH)
    assert monthly.model_dump(mode="json")["resets_at"] == "2026-12-01T00:00:00.000000Z"


def test_money_is_text_with_its_currency() -> None:
    spending = Spending(used=Amount(amount="3.20"), limit=None, resets_at=MONTH)
    assert spending.model_dump(mode="json")["used"] == {"amount": "3.20", "currency": "USD"}
    assert refused(Amount, {"amount": 3.2, "currency": "EUR"}) == {"amount": "string_type", "currency": "literal_error"}
