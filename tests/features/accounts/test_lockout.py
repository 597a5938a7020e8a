from __future__ import annotations

from datetime import UTC, datetime, timedelta

from partywall.features.accounts.lockout import Failures, LockoutPolicy, after_failure, locked_for

POLICY = LockoutPolicy(max_failures=5, duration=timedelta(minutes=30))
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def after(times: int, now: datetime = NOW) -> Failures:
    failures: Failures | None = None
    for _ in range(times):
        failures = after_failure(failures, POLICY, now)
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
