"""How long servers ask clients to wait, in the forms that users have reported."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import orjson
import pytest

from partywall.formats.waiting_time import MOST_SECONDS, seconds_asked, seconds_in

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(seconds=90)

VALUES = {
    "45": 45, " 45 ": 45, "045": 45, "0": 0, "45.5": 45.5, ".5": 0.5, "45.": 45, "45s": 45, "45 s": 45,
    "45.8379s": 45.8379,
    "45 seconds": 45, "1 second": 1, "45sec": 45, "1m": 60, "1m26.4s": 86.4, "1 minute 5 seconds": 65, "2h": 7200,
    "1h30m0s": 5400, "120ms": 0.12, "250 milliseconds": 0.25, "9" * 5000: MOST_SECONDS, "1d": 86_400,
    format_datetime(LATER, usegmt=True): 90, LATER.strftime("%a %b %d %H:%M:%S %Y"): 90, LATER.isoformat(): 90,
    "2026-03-01T12:01:30Z": 90, format_datetime(NOW - timedelta(hours=1), usegmt=True): 0,
    "30, 30": 30, "45,60": 60, "60, 45s": 60, "soon, 30": 30, "30, ": 30,
    f"{format_datetime(NOW, usegmt=True)}, {format_datetime(LATER, usegmt=True)}": 90,
    LATER.strftime("%A, %d-%b-%y %H:%M:%S GMT"): 90,
    str(int(LATER.timestamp())): 90, str(LATER.timestamp() + 0.5): 90.5, str(int(LATER.timestamp() * 1000)): 90,
    str(int(NOW.timestamp()) - 60): 0, str(int(NOW.timestamp()) * 3): MOST_SECONDS, "4000000000": MOST_SECONDS,
}  # fmt: skip
NOTHING = ["", " ", "soon", "-5", "-5s", "1.5.5", "1e9", "inf", "nan", "\u0663", "Fri, 99 Foo 2026", "45x",
           "45 of them", "45s later", "s", "0x10", "x" * 5000, "Mon, 01 Jan 0001 00:00:00 -2359"]  # fmt: skip


@pytest.mark.parametrize("value", VALUES)
def test_a_header_is_read_in_the_form_in_which_it_is_written(value: str) -> None:
    assert seconds_in(value, NOW.timestamp()) == pytest.approx(VALUES[value])


@pytest.mark.parametrize("value", NOTHING)
def test_what_cannot_be_read_asks_for_nothing(value: str) -> None:
    assert seconds_in(value, NOW.timestamp()) in (None, 0.0)
    assert seconds_asked({"retry-after-ms": value}, 0) is None


def test_the_longest_wait_in_the_headers_counts() -> None:
    for headers, seconds in (
        ({"retry-after-ms": "30000"}, 30),
        ({"x-ms-retry-after-ms": " 1500.5 "}, 1.5005),
        ({"retry-after-ms": "500", "retry-after": "2"}, 2),
        ({"retry-after-ms": "soon", "retry-after": "2"}, 2),
        ({"retry-after-ms": "500, 2500"}, 2.5),
        ({}, None),
    ):
        assert seconds_asked(headers, 0) == (seconds and pytest.approx(seconds))
    assert seconds_asked({"retry-after": "2"}, 0, b'{"error": {"message": "Please try again in 30s."}}') == 2


RETRY_INFO = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "30s"}
EXHAUSTED = {"code": 429, "message": "Please retry in 26.66s.", "details": [{"@type": "...QuotaFailure"}, RETRY_INFO]}
BODIES: list[tuple[object, float | None]] = [
    ({"error": EXHAUSTED}, 30),
    ([{"error": EXHAUSTED}], 30),
    (EXHAUSTED, 30),
    ({"error": {"details": [RETRY_INFO | {"retryDelay": "45.837906927s"}]}}, 45.837906927),
    ({"error": {"details": [RETRY_INFO | {"retryDelay": {"seconds": 7, "nanos": 0}}]}}, 7),
    ({"error": {"message": "Rate limit reached. Please try again in 1m26.4s. Visit ..."}}, 86.4),
    ({"error": {"message": "Rate limit reached for requests. Please try again in 120ms."}}, 0.12),
    ({"error": {"message": "Requests have exceeded the limit. Please retry after 45 seconds."}}, 45),
    ({"error": "Too many requests. Try again in 5 minutes."}, 300),
    ({"message": "You are being rate limited.", "retry_after": 64.57, "global": False}, 64.57),
    ({"ok": False, "parameters": {"retry_after": 35}}, 35),
    ({"error": {"metadata": {"retry_after_seconds": 12}}}, 12),
    ({"retry_after_ms": "2500"}, 2.5),
    ({"error": "Model m is currently loading", "estimated_time": 30.0}, 30),
    ({"error": {"message": "Please wait 30 seconds before retrying"}}, 30),
    ({"error": {"message": "Please wait for at least 30 seconds."}}, 30),
    ({"message": "Server is loading. Expected available in 30 seconds"}, 30),
    ({"message": "Please wait a moment and try again in 5s"}, 5),
    ({"error": {"message": "try again in a while", "code": 503}}, None),
    ({"retry_after": None, "retryDelay": [], "error": {"message": 7, "details": "x"}}, None),
    ({"retry_after": True}, None), ({"retry_after": -5}, None), ({"retry_after": "1e400"}, None),
    ("text", None), (7, None),
]  # fmt: skip


@pytest.mark.parametrize(("body", "seconds"), BODIES)
def test_the_body_is_read_when_the_headers_say_nothing(body: object, seconds: float | None) -> None:
    assert seconds_asked({}, 0, orjson.dumps(body)) == (seconds and pytest.approx(seconds))


@pytest.mark.parametrize(
    "body",
    [b"", b"[" * 100_000, b'{"retry_after": 1e999}', b"\xff\xfe", b'{"error":' * 9_999, b"[" + b"[]," * 9_999 + b"[]]"],
)
def test_a_hostile_body_asks_for_nothing_or_a_bounded_time(body: bytes) -> None:
    assert seconds_asked({}, 0, body) in (None, MOST_SECONDS)


def test_a_plain_text_body_is_read() -> None:
    assert seconds_asked({}, 0, b"Too many requests, retry after 10 seconds") == 10


def test_without_a_clock_a_date_is_relative_to_the_responses_date() -> None:
    headers = {"retry-after": format_datetime(LATER, usegmt=True)}
    assert seconds_asked(headers, None) is None
    assert seconds_asked(headers | {"date": format_datetime(NOW, usegmt=True)}, None) == 90
