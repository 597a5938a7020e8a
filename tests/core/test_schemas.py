from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError
from sqlalchemy import DateTime, literal, select, text

from partywall.core.db.json_rows import rfc3339
from partywall.core.resources import Resources
from partywall.core.schemas import GivenInstant, Instant, JsonObject, RequestModel, ResponseModel, refuse_unstorable


@pytest.mark.parametrize("wrong", ["\0", "\ud800", float("nan"), {"\0": 1}])
def test_a_pointer_leads_to_what_cannot_be_stored(wrong: object) -> None:
    with pytest.raises(PydanticCustomError) as error:
        refuse_unstorable({"a": [1, {"b": 2}], "c": [{"d": []}, {"e": wrong}], "f": "\0"})
    assert error.value.context == {"pointer": "/c/1/e"}


def test_a_long_name_does_not_slow_down_validation() -> None:
    """All their pointers together would be a hundred billion characters long."""
    refuse_unstorable({"x" * 1_000_000: [0] * 100_000})


class Given(RequestModel):
    a: JsonObject


@pytest.mark.parametrize(
    "number", [1e308, -1e308, 1e-300, 5e-324, 1e21, 9.99e-21, 10**30, -(10**30), 10**4000], ids=lambda n: repr(n)[:9]
)
def test_a_number_that_postgresql_writes_at_length_is_refused(number: float) -> None:
    with pytest.raises(ValidationError) as error:
        Given.model_validate({"a": {"b": [1, {"c": number}]}})
    [found] = error.value.errors()
    assert (found["type"], found["ctx"]["pointer"]) == ("long_number", "/a/b/1/c")
    refuse_unstorable({"a": number})


def test_numbers_that_clients_send_are_taken() -> None:
    usual = [0, 0.0, -0.0, True, 2**63 - 1, -(2**63), 2**64 - 1, 10**30 - 1, 1e-20, 0.1 + 0.2 - 0.3, 9.99e20]
    assert Given.model_validate({"a": {"b": usual}}).a == {"b": usual}


class Output(ResponseModel):
    at: Instant


@pytest.mark.parametrize(
    ("instant", "written"),
    [
        (datetime(2027, 1, 31, 1, 0, 0, 50, timezone(timedelta(hours=2))), "2027-01-30T23:00:00.000050Z"),
        (datetime(2027, 1, 31, 12, tzinfo=UTC), "2027-01-31T12:00:00.000000Z"),
    ],
)
async def test_an_instant_is_written_in_utc_by_the_schema_and_by_the_database(
    resources: Resources, instant: datetime, written: str
) -> None:
    """Whatever time zone the input or the database session uses."""
    assert Output(at=instant).model_dump(mode="json") == {"at": written}
    async with resources.sessions.begin() as session:
        await session.execute(text("SET LOCAL timezone = 'Asia/Tokyo'"))
        assert await session.scalar(select(rfc3339(literal(instant, DateTime(timezone=True))))) == written


ENDS = {
    "0001-01-01T00:00:00.001Z": "0001-01-01T00:00:00.001000Z",
    "0001-01-01T00:00:00.0009999-23:59": "0001-01-01T23:59:00.000000Z",
    "2300-01-01T00:00:00.999999Z": "2300-01-01T00:00:00.999000Z",
    "9999-12-31T23:59:59Z": "9999-12-31T23:59:59.000000Z",
    "9999-12-31T23:59:59.9999999999Z": "9999-12-31T23:59:59.999000Z",
    "9999-12-31T23:59:59.999999+23:59": "9999-12-31T00:00:59.999000Z",
}


@pytest.mark.parametrize("given", ENDS)
async def test_an_instant_at_an_end_of_the_calendar_is_read_as_it_was_stored(resources: Resources, given: str) -> None:
    instant = TypeAdapter(GivenInstant).validate_python(given)
    async with resources.sessions.begin() as session:
        stored = await session.scalar(select(literal(instant, DateTime(timezone=True))))
        written = await session.scalar(select(rfc3339(literal(instant, DateTime(timezone=True)))))
    assert (stored, Output(at=instant).model_dump(mode="json")["at"], written) == (instant, ENDS[given], ENDS[given])


@pytest.mark.parametrize(
    "given",
    [
        "0001-01-01T00:00:00.0009Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59.9999999-00:01",
        "9999-12-31T23:59:59-23:59",
    ],
)
def test_an_instant_that_its_offset_moves_out_of_the_calendar_is_refused(given: str) -> None:
    with pytest.raises(ValidationError, match="out of range"):
        TypeAdapter(GivenInstant).validate_python(given)
