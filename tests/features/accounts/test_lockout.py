from __future__ import annotations

from datetime import UTC, datetime, timedelta

from partywall.features.accounts.lockout import (
    Failures,
    WaitPolicy,
    after_failure,
    locked_for,
    of_one_network,
    of_unknown_networks,
)

LOCKOUT = timedelta(minutes=30)
POLICY = of_one_network(5, LOCKOUT)
HANDSHAKES = of_unknown_networks(5, LOCKOUT)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def after(times: int, now: datetime = NOW, policy: WaitPolicy = POLICY) -> Failures:
    failures: Failures | None = None
    for _ in range(times):
        failures = after_failure(failures, policy, now)
    assert failures is not None
    return failures


def test_four_failures_lock_nothing_and_the_fifth_does() -> None:
    assert locked_for(None, NOW) is None
    assert locked_for(after(4), NOW) is None
    assert locked_for(after(5), NOW) == timedelta(minutes=30)


def test_a_lock_runs_out_to_the_moment() -> None:
    locked = after(5)
    assert locked_for(locked, NOW + timedelta(minutes=29, seconds=59)) == timedelta(seconds=1)
    assert locked_for(locked, NOW + timedelta(minutes=30)) is None


def test_after_a_lock_the_count_starts_anew() -> None:
    later = NOW + timedelta(minutes=30)
    assert after_failure(after(5), POLICY, later) == Failures(1, later, None)


def test_failures_long_ago_do_not_count() -> None:
    assert after_failure(after(4), POLICY, NOW + timedelta(minutes=29)).count == 5
    assert after_failure(after(4), POLICY, NOW + timedelta(minutes=30)).count == 1


def test_many_networks_together_are_slowed_down_more_and_more() -> None:
    waits = [locked_for(after(times, policy=HANDSHAKES), NOW) for times in (20, 21, 22, 23, 28, 29, 30, 10_000)]
    assert waits[0] is None
    assert [wait.total_seconds() for wait in waits[1:] if wait is not None] == [1, 2, 4, 128, 256, 300, 300]


def test_unknown_networks_wait_no_longer_than_a_lock() -> None:
    short = of_unknown_networks(5, timedelta(milliseconds=500))
    assert short.wait(1000) == timedelta(milliseconds=500)
