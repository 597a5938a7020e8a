"""Amounts of money in requests."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Final

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

_MOST: Final = 1_000_000_000
_DECIMALS: Final = 6
_WRITTEN: Final = r"^([0-9]{1,9}(\.[0-9]{1,6})?|1000000000(\.0{1,6})?)$"
_PATTERN: Final = re.compile(_WRITTEN)


def _amount(given: object) -> Decimal:
    if isinstance(given, str) and _PATTERN.fullmatch(given):
        return Decimal(given)
    if isinstance(given, int | float) and not isinstance(given, bool) and 0 <= given <= _MOST:
        return Decimal(repr(round(given, _DECIMALS) + 0))  # and no -0.0
    raise PydanticCustomError("not_an_amount", "An amount is from 0 to 1000000000, with at most six decimals")


GivenAmount = Annotated[
    Decimal,
    BeforeValidator(_amount),
    WithJsonSchema(
        {"anyOf": [{"type": "number", "minimum": 0, "maximum": _MOST}, {"type": "string", "pattern": _WRITTEN}]}
    ),
]
