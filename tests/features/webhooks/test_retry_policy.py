from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from partywall.features.webhooks.retry_policy import Outcome, RetryPolicy

RULES = RetryPolicy(first_retry=timedelta(seconds=10), attempts=10, disable_after=timedelta(days=5))
NOW = datetime(2026, 11, 21, tzinfo=UTC)
FAILED = Outcome(500, "answered 500")


def test_retries_take_about_a_day_and_grow() -> None:
    waits = [RULES.retry_in(attempt) or timedelta(0) for attempt in range(1, 10)]
    assert all(later > earlier for earlier, later in itertools.pairwise(waits))
    assert timedelta(hours=20) < sum(waits, timedelta(0)) < timedelta(hours=34)
    assert waits[0] < timedelta(seconds=13)


def test_the_last_attempt_is_followed_by_none() -> None:
    assert RULES.retry_in(9) is not None
    assert RULES.retry_in(10) is None
    assert RULES.retry_in(11) is None


def test_waits_are_not_all_alike() -> None:
    assert len({RULES.retry_in(1) for _ in range(20)}) > 10


def test_a_webhook_pauses_after_some_failures_in_a_row_but_never_for_long() -> None:
    assert RULES.pause(4) is None
    first = RULES.pause(5)
    assert first is not None
    assert first < timedelta(seconds=13)
    for failures in (12, 1000, 10**9):
        rest = RULES.pause(failures)
        assert rest is not None
        assert timedelta(minutes=4) <= rest <= timedelta(minutes=6)


def test_nothing_is_sent_before_the_receiver_wants_it() -> None:
    hour = timedelta(hours=1)
    assert RULES.retry_in(1, hour) == hour
    assert (RULES.retry_in(8, timedelta(seconds=1)) or hour) > hour
    assert RULES.retry_in(10, hour) is None
    assert (RULES.pause(1, hour), RULES.pause(9, hour), RULES.pause(1)) == (hour, hour, None)


@pytest.mark.parametrize(
    ("outcome", "failing_for", "reason"),
    [
        (FAILED, None, None),
        (FAILED, timedelta(days=4, hours=23), None),
        (FAILED, timedelta(days=5), "failing"),
        (Outcome(410, "answered 410"), None, "gone"),
        (Outcome(404, "answered 404"), timedelta(days=1), None),
        (Outcome(None, "no answer"), timedelta(days=9), "failing"),
    ],
)
def test_only_410_and_lasting_failure_disable_it(
    outcome: Outcome, failing_for: timedelta | None, reason: str | None
) -> None:
    assert RULES.disables(outcome, None if failing_for is None else NOW - failing_for, NOW) == reason
