"""Base classes and field types of all schemas."""

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
_MAX_CURSOR: Final = 6000  # fits the longest sort value
_MAX_DEPTH: Final = 32
# PostgreSQL writes each jsonb number out in full: within these limits it takes about the same space there as here.
_MOST_DIGITS: Final = 30
_TOO_LONG: Final[int] = 10**_MOST_DIGITS
_LARGEST_FLOAT: Final = 1e21
_SMALLEST_FLOAT: Final = 1e-20
_LONG_INTEGER: Final = f"Integers have at most {_MOST_DIGITS} digits"
_LONG_FLOAT: Final = "Numbers with a fraction or an exponent are 0, or between 1e-20 and 1e21 in absolute value"
_FIRST: Final = datetime.min.replace(tzinfo=UTC)
# Up to this many unknown fields are reported one by one.
_MOST_UNKNOWN: Final = 20
_RFC3339: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)


def to_rfc3339(instant: datetime) -> str:
    """The instant in UTC with `Z` and always six decimals, as the database also writes it."""
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


Instant = Annotated[
    datetime,
    PlainSerializer(to_rfc3339, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
]


def _written(value: object) -> object:
    """Rejects numbers and digits, which Pydantic would read as seconds since 1970."""
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        raise PydanticCustomError("not_rfc3339", "Write an instant as 2027-01-31T12:00:00Z, with Z or an offset")
    return value


def _out_of_range() -> PydanticCustomError:
    return PydanticCustomError("instant_out_of_range", "This instant is out of range")


def _in_utc(instant: datetime) -> datetime:
    """Moves to UTC and cuts to milliseconds; rejects instants out of range.

    The driver reads instants as doubles: after the year 2272 it would round the last microseconds of a second up to the
    next one, and it cannot read them at the end of the calendar. It reads the first and the last instant as infinity.
    """
    try:
        moved = instant.astimezone(UTC)
    except OverflowError as error:
        raise _out_of_range() from error
    kept = moved.replace(microsecond=moved.microsecond // 1000 * 1000)
    if kept == _FIRST:
        raise _out_of_range()
    return kept


# An instant from a client: RFC 3339 with an offset, in range when moved to UTC.
GivenInstant = Annotated[AwareDatetime, BeforeValidator(_written), AfterValidator(_in_utc)]


def whole(value: object) -> object:
    """Converts a float without a fraction to int; returns anything else unchanged."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


# For a StrictInt, placed after its bounds: JSON may write whole numbers as 3.0.
WHOLE: Final = BeforeValidator(whole)


def _without_blanks(value: object) -> object:
    return value.strip(" \t") if isinstance(value, str) else value


# For a header's value: blanks and tabs around it do not belong to it (RFC 9110, 5.5).
WITHOUT_BLANKS: Final = BeforeValidator(_without_blanks)


def storable(text: str) -> str:
    """Rejects what PostgreSQL's text cannot hold: NUL and lone surrogates."""
    if "\x00" in text:
        raise PydanticCustomError("nul_byte", "Text may not contain the character U+0000")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise PydanticCustomError("lone_surrogate", "Text may not contain a lone surrogate") from error
    return text


Storable = Annotated[str, AfterValidator(storable)]
# Expresses in the schema that trimmed text must not be empty.
NOT_BLANK: Final = Field(json_schema_extra={"pattern": r"\S"})
# Characters that would end a line, control a terminal or reverse the text direction.
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
    """Built only for an error: otherwise a long name would be copied for each item in it."""
    return {"pointer": "".join(f"/{name}" for name in path)}


def refuse_unstorable(value: object) -> None:
    """Raises PydanticCustomError with a `pointer` for text as in `storable`, non-finite numbers and deep nesting."""
    _check(value, _MAX_DEPTH, [], given=False)


def refuse_excessive(value: object) -> None:
    """Like `refuse_unstorable`, for client input: also rejects numbers that would be far longer in an answer."""
    _check(value, _MAX_DEPTH, [], given=True)


class RequestModel(BaseModel):
    """A request body. Unknown fields and values that cannot be stored are rejected."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _storable(cls, values: object) -> object:
        if isinstance(values, dict) and len(values) > len(cls.model_fields) + _MOST_UNKNOWN:
            raise PydanticCustomError("too_many_fields", "There are too many unknown fields")
        refuse_excessive(values)
        return values


class ResponseModel(BaseModel):
    """A response body. Fields have no defaults, so that clients see which are always present."""

    model_config = ConfigDict(from_attributes=True)


class Page[T](ResponseModel):
    """One page. `next_cursor` is null on the last one; `total` is counted only with `offset`."""

    items: list[T]
    next_cursor: str | None
    total: int | None


type JsonObject = dict[str, JsonValue]


class PageQuery(BaseModel):
    """`cursor` continues after an earlier page; `offset` skips items and counts the total. Not both."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    limit: int = Field(default=DEFAULT_LIMIT, ge=1, le=MAX_LIMIT)
    cursor: Storable | None = Field(default=None, max_length=_MAX_CURSOR)
    offset: int | None = Field(default=None, ge=0, le=2**31 - 1)

    def refuse_both(self) -> None:
        if self.cursor is not None and self.offset is not None:
            raise InvalidInputError("/query/offset", FieldCode.CONFLICTING, "Give cursor or offset, not both")


class SortedQuery(PageQuery):
    """The query of a sortable list; subclasses restrict `sort`. A leading minus means descending."""

    sort: str
