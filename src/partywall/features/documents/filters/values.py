"""Reads a value of a comparison, as the field and the operator want it. All readers raise PydanticCustomError."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from pydantic import AwareDatetime, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from partywall.core.schemas import GivenInstant
from partywall.features.documents.filters.fields import FieldKind, Kind
from partywall.features.documents.filters.tree import RANGES, Operator, Scalar

LONGEST_TEXT: Final = 1_000
_GIVEN: Final = TypeAdapter[datetime](GivenInstant)
_INSTANT: Final = TypeAdapter[datetime](AwareDatetime)
_DATE_LENGTH: Final = len("2027-01-31")


def reader_of(kind: FieldKind, operator: Operator) -> Callable[[object], Scalar]:
    if operator is Operator.EXISTS:
        return _truth
    match kind.kind:
        case Kind.ID:
            return _id
        case Kind.INSTANT:
            return _instant
        case Kind.CHOICE:
            return lambda value: _choice(value, kind.choices)
        case Kind.JSON if operator in RANGES:
            return _number_or_instant
        case Kind.JSON if operator is not Operator.PREFIX:
            return _scalar
    return _text


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise PydanticCustomError("bool_type", "true or false belongs here")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise PydanticCustomError("string_type", "A text belongs here")
    if len(value) > LONGEST_TEXT:
        raise PydanticCustomError("string_too_long", "The text has at most {most} characters", {"most": LONGEST_TEXT})
    return value


def _choice(value: object, choices: frozenset[str]) -> str:
    if not isinstance(value, str) or value not in choices:
        raise PydanticCustomError("literal_error", "This is one of {choices}", {"choices": ", ".join(sorted(choices))})
    return value


def _id(value: object) -> UUID:
    try:
        return UUID(_text(value))
    except ValueError as error:
        raise PydanticCustomError("uuid_parsing", "A UUID belongs here") from error


def _scalar(value: object) -> Scalar:
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return _text(value)
    raise PydanticCustomError("string_type", "A text, a number, true or false belongs here")


def _number_or_instant(value: object) -> Scalar:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Decimal(repr(value))
    return _instant(value)


def _instant(value: object) -> datetime:
    """A date is its first moment in UTC."""
    if not isinstance(value, str):
        raise PydanticCustomError("datetime_type", "A date or an instant belongs here, such as 2027-01-31T12:00:00Z")
    try:
        if len(value) == _DATE_LENGTH:
            return _date(value)
        _GIVEN.validate_python(value)  # which would drop the microseconds
        return _INSTANT.validate_python(value).astimezone(UTC)
    except ValidationError as error:
        found = error.errors(include_url=False)[0]
        raise PydanticCustomError("not_rfc3339", "{message}", {"message": found["msg"]}) from error


def _date(value: str) -> datetime:
    try:
        day = date.fromisoformat(value)
    except ValueError as error:
        raise PydanticCustomError("not_rfc3339", "Write a date as 2027-01-31") from error
    if day.isoformat() != value:
        raise PydanticCustomError("not_rfc3339", "Write a date as 2027-01-31")
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
