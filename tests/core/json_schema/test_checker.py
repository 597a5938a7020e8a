"""What a schema accepts, and what it says about the rest."""

from __future__ import annotations

import socket
from threading import Event
from typing import NoReturn

import pytest
from pydantic import JsonValue

from partywall.core.json_schema.checker import Checker, StoppedError
from tests.core.json_schema.schemas import INVOICE, in_a, usable


def test_objects_are_validated_by_the_schema() -> None:
    checker = Checker(usable(INVOICE))
    assert checker.errors({"number": "INV-2026", "due": "2026-11-21", "total": 12.5, "lines": [1]}) == []
    assert checker.errors({"number": "2026", "total": 1}) == [r"$.number: '2026' does not match '^INV-\\d{4}$'"]
    assert checker.errors({"number": "INV-2026", "total": -1})[0].startswith("$.total: -1 is less")
    assert "'2026-13-01' is not a 'date'" in checker.errors({"number": "INV-2026", "total": 1, "due": "2026-13-01"})[0]
    assert "'total' is a required property" in checker.errors({"number": "INV-2026"})[0]
    assert "[1]" in checker.errors({"number": "INV-2026", "total": 1, "lines": [1, -1]})[0]
    assert "Additional" in checker.errors({"number": "INV-2026", "total": 1, "more": 1})[0]


@pytest.mark.parametrize(
    ("name", "fits", "others"),
    [
        (
            "date-time",
            ["2026-11-21T12:00:00Z", "2026-11-21t12:00:00.123456789z", "2026-11-21T12:00:00-23:59",
             "2016-12-31T23:59:60Z", "2016-12-31T15:59:60.5-08:00", "2017-01-01T05:29:60+05:30"],
            ["2026-11-21T12:00:00", "tomorrow", "2026-W01-1T00Z", "2026-01-01T00:00+01", "2026-01-01T00:00:00+01",
             "2026-11-21 12:00:00Z", "2026-11-21T12:00:00.Z", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z",
             "2026-11-21T24:00:00Z", "2026-11-21T12:00:61Z", "2026-11-21T12:00:60Z", "2016-12-31T23:59:60+01:00",
             "2026-11-21T12:00:00+24:00", "2026-11-21T12:00:00+01:60", "2026-11-21T12:00:00Z\n",
             "\u0662026-11-21T12:00:00Z"],
        ),
        (
            "email",
            ["ann@example.com", "a.b+c@mail.example.org", "root@localhost", '"a b"@example.com', "a@[127.0.0.1]",
             "a@[IPv6:2001:db8::1]", "a" * 64 + "@example.com"],
            ["@", "a@", "@b", "a", "a b@example.com", "a@b@example.com", ".a@example.com", "a@-b.com", "ü@example.com",
             "Ann <ann@example.com>", "a@example.com\n", "a" * 65 + "@example.com", "a@[127.0.0.256]",
             "a@[::1]", "a..b@c.d", "a@b..c", "a@" + "b" * 64, "a@" + "b." * 100_000],
        ),
        ("date", ["2026-01-01"], ["20260101", "2026-W01-1", "2026-02-30"]),
    ],
)  # fmt: skip
def test_formats_are_those_of_their_rfcs(name: str, fits: list[str], others: list[str]) -> None:
    def wrong(value: JsonValue) -> bool:
        return in_a(format=name).errors({"a": value}) != []

    assert [each for each in fits if wrong(each)] == []
    assert [each for each in others if not wrong(each)] == []
    assert not wrong(1)


def test_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even when the check at the start is bypassed."""

    def connect(*_: object) -> NoReturn:
        raise AssertionError("a schema was fetched")

    monkeypatch.setattr(socket.socket, "connect", connect)
    with pytest.raises(Exception, match="Unresolvable"):
        Checker({"$ref": "http://127.0.0.1:9/schema"}).errors({})


def test_a_check_stops_when_nobody_waits_for_it() -> None:
    stop = Event()
    checker = Checker(INVOICE, stop)
    assert checker.errors({"number": "INV-2026", "total": 1}) == []
    stop.set()
    with pytest.raises(StoppedError):
        checker.errors({"number": "INV-2026", "total": 1})


@pytest.mark.parametrize(
    ("items", "unique"),
    [
        ([1, 1.0], False),
        ([1, True], True),
        ([{"x": 1, "y": [2]}, {"y": [2.0], "x": 1}], False),
        (["1", 1], True),
        ([[], {}], True),
        ([[0], [False]], True),
    ],
)
def test_equal_is_what_json_schema_calls_equal(items: list[JsonValue], unique: bool) -> None:
    assert (in_a(uniqueItems=True).errors({"a": items}) == []) is unique
    assert (in_a(const=items[0]).errors({"a": items[1]}) == []) is not unique
    assert (in_a(enum=["other", items[0]]).errors({"a": items[1]}) == []) is not unique


def test_a_number_beyond_reason_does_not_fit() -> None:
    assert in_a(multipleOf=0.01).errors({"a": 10**4_000}) == ["$: an integer has more than 100 digits"]
    assert in_a(multipleOf=0.01).errors({"a": 10**99}) == []
    assert in_a(multipleOf=0.1).errors({"a": 0.3}) == []
    assert in_a(multipleOf=0.1).errors({"a": 0.35}) == ["$.a: 0.35 is not a multiple of 0.1"]
