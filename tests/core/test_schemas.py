from __future__ import annotations

import pytest
from pydantic_core import PydanticCustomError

from partywall.core.schemas import refuse_unstorable


@pytest.mark.parametrize("wrong", ["\0", "\ud800", float("nan"), {"\0": 1}])
def test_a_pointer_leads_to_what_cannot_be_stored(wrong: object) -> None:
    with pytest.raises(PydanticCustomError) as error:
        refuse_unstorable({"a": [1, {"b": 2}], "c": [{"d": []}, {"e": wrong}], "f": "\0"})
    assert error.value.context == {"pointer": "/c/1/e"}


def test_many_values_under_a_long_name_are_no_more_work_than_under_a_short_one() -> None:
    """Their pointers together would have a hundred billion characters."""
    refuse_unstorable({"x" * 1_000_000: [0] * 100_000})
