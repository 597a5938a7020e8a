"""What every schema is made of."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from partywall.core.errors import InvalidInputError
from partywall.core.field_errors import FieldCode

MAX_LIMIT: Final = 100
DEFAULT_LIMIT: Final = 50
_MAX_CURSOR: Final = 6000  # holds the longest value that a list is sorted by
_MAX_DEPTH: Final = 32
# PostgreSQL writes each number of a jsonb out in full: these are the ones that take about as much room there as here.
_MOST_DIGITS: Final = 30
_TOO_LONG: Final[int] = 10**_MOST_DIGITS
_LARGEST_FLOAT: Final = 1e21
_SMALLEST_FLOAT: Final = 1e-20
_LONG_INTEGER: Final = f"Integers have at most {_MOST_DIGITS} digits"
_LONG_FLOAT: Final = "Numbers with a fraction or an exponent are 0, or between 1e-20 and 1e21 without their sign"
_FIRST: Final = datetime.min.replace(tzinfo=UTC)
_OUTSIDE: Final = ("instant_out_of_range", "This instant lies outside the calendar")
# So many unknown fields are named one by one.
_MOST_UNKNOWN: Final = 20
_RFC3339: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)


def to_rfc3339(instant: datetime) -> str:
    """UTC with `Z` and always six decimals, as the database writes it too."""
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


Instant = Annotated[
    datetime,
    PlainSerializer(to_rfc3339, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
]


def _written(value: object) -> object:
    """Refuses what would be taken for seconds since 1970, as a number or in digits."""
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        raise PydanticCustomError("not_rfc3339", "An instant is written as 2027-01-31T12:00:00Z, with Z or an offset")
    return value


def _in_utc(instant: datetime) -> datetime:
    """To the millisecond, and after the first one of the calendar.

    The driver divides what it reads in doubles: after the year 2272 it would round the last microseconds of a second
    up to the next one, and at the end of the calendar it would not read them at all. The very first and the very last
    instant mean infinity to it.
    """
    try:
        moved = instant.astimezone(UTC)
    except OverflowError as error:
        raise PydanticCustomError(*_OUTSIDE) from error
    kept = moved.replace(microsecond=moved.microsecond // 1000 * 1000)
    if kept == _FIRST:
        raise PydanticCustomError(*_OUTSIDE)
    return kept


# An instant that a client gives: in RFC 3339, with an offset, and still in the calendar when moved to UTC.
GivenInstant = Annotated[AwareDatetime, BeforeValidator(_written), AfterValidator(_in_utc)]


def whole(value: object) -> object:
    """Leaves alone what is no number, and numbers with a fraction."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


# With a StrictInt, and after its bounds: JSON's whole numbers may be written with a fraction of nothing, as 3.0.
WHOLE: Final = BeforeValidator(whole)


def storable(text: str) -> str:
    """Refuses what PostgreSQL's text cannot hold: NUL and lone surrogates."""
    if "\x00" in text:
        raise PydanticCustomError("nul_byte", "Text may not contain the character U+0000")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise PydanticCustomError("lone_surrogate", "Text may not contain a lone surrogate") from error
    return text


Storable = Annotated[str, AfterValidator(storable)]
# Says in the schema what trimming before the length is checked amounts to.
NOT_BLANK: Final = Field(json_schema_extra={"pattern": r"\S"})
# Of a line that people read: what would end it, steer a terminal or turn the order of the letters around.
_STEERING: Final = r"\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069"
_STEERS: Final = re.compile(f"[{_STEERING}]")


def in_one_line(text: str) -> str:
    if _STEERS.search(text):
        raise PydanticCustomError("control_character", "A name may not contain control characters")
    return text


Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(in_one_line),
    Field(json_schema_extra={"pattern": rf"^[^{_STEERING}]*[^\s{_STEERING}][^{_STEERING}]*$"}),
]


def _check(value: object, depth: int, path: list[str], *, given: bool) -> None:
    if isinstance(value, str):
        try:
            storable(value)
        except PydanticCustomError as error:
            raise PydanticCustomError(error.type, error.message_template, _at(path)) from error
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise PydanticCustomError("not_finite", "Numbers are finite", _at(path))
        if given and value and not _SMALLEST_FLOAT <= abs(value) < _LARGEST_FLOAT:
            raise PydanticCustomError("long_number", _LONG_FLOAT, _at(path))
    elif isinstance(value, dict | list):
        if depth == 0:
            raise PydanticCustomError("too_deep", "Nested too deeply", _at(path))
        _check_items(value, depth - 1, path, given=given)
    elif given and isinstance(value, int) and not -_TOO_LONG < value < _TOO_LONG:
        raise PydanticCustomError("long_number", _LONG_INTEGER, _at(path))


def _check_items(value: dict[object, object] | list[object], depth: int, path: list[str], *, given: bool) -> None:
    if isinstance(value, dict):
        for key in value:
            _check(key, 0, path, given=given)
    for name, item in value.items() if isinstance(value, dict) else enumerate(value):
        path.append(str(name))
        _check(item, depth, path, given=given)
        path.pop()


def _at(path: list[str]) -> dict[str, str]:
    """Written only where something is wrong: a long name with many items in it would be copied for each of them."""
    return {"pointer": "".join(f"/{name}" for name in path)}


def refuse_unstorable(value: object) -> None:
    """Raises PydanticCustomError with a `pointer`: text as of `storable`, numbers that are not finite, much depth."""
    _check(value, _MAX_DEPTH, [], given=False)


def refuse_excessive(value: object) -> None:
    """Like `refuse_unstorable`, and for what clients give: no number that would be many times longer in an answer."""
    _check(value, _MAX_DEPTH, [], given=True)


class RequestModel(BaseModel):
    """A body that a client sends: unknown fields are refused, and so is what could not be stored."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _storable(cls, values: object) -> object:
        if isinstance(values, dict) and len(values) > len(cls.model_fields) + _MOST_UNKNOWN:
            raise PydanticCustomError("too_many_fields", "There are many fields that are not known here")
        refuse_excessive(values)
        return values


class ResponseModel(BaseModel):
    """A body that we send. No field has a default, so that clients see what is always there."""

    model_config = ConfigDict(from_attributes=True)


class Page[T](ResponseModel):
    """One page. `next_cursor` is null on the last one; `total` is counted only where `offset` was asked for."""

    items: list[T]
    next_cursor: str | None
    total: int | None


type JsonObject = dict[str, JsonValue]


class PageQuery(BaseModel):
    """`cursor` walks on from an earlier page; `offset` jumps and counts. Not both."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    limit: int = Field(default=DEFAULT_LIMIT, ge=1, le=MAX_LIMIT)
    cursor: Storable | None = Field(default=None, max_length=_MAX_CURSOR)
    offset: int | None = Field(default=None, ge=0, le=2**31 - 1)

    def refuse_both(self) -> None:
        if self.cursor is not None and self.offset is not None:
            raise InvalidInputError("/query/offset", FieldCode.CONFLICTING, "Give cursor or offset, not both")


class SortedQuery(PageQuery):
    """Of a list that can be sorted; each narrows `sort` to its own whitelist. A minus before it means descending."""

    sort: str
