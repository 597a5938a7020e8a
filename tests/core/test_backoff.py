from __future__ import annotations

from datetime import timedelta

import pytest

from partywall.core.backoff import RestartPauses, grown, jittered

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("attempt", "factor", "seconds"), [(1, 2, 1), (2, 2, 2), (5, 2, 16), (6, 2, 30), (10**9, 2, 30), (3, 3, 9)]
)
def test_a_pause_grows_up_to_its_limit(attempt: int, factor: float, seconds: int) -> None:
    assert grown(SECOND, attempt, 30 * SECOND, factor) == seconds * SECOND
    assert grown(1.0, attempt, 30.0, factor) == seconds


def test_a_pause_without_a_limit_grows() -> None:
    assert grown(SECOND, 10) == 512 * SECOND


def test_the_jitter_stays_within_its_bounds() -> None:
    assert jittered(10.0, 0.8, 1.2, uniform=min) == 8
    assert jittered(10.0, 0.8, 1.2, uniform=max) == 12
    assert len({jittered(SECOND) for _ in range(20)}) > 10
    assert all(SECOND / 2 <= jittered(SECOND) <= SECOND for _ in range(100))


def test_pauses_between_restarts_begin_again_after_a_long_life() -> None:
    pauses = RestartPauses(0.2, 30.0, 60.0)
    assert [pauses.next(1) for _ in range(10)] == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0]
    assert [pauses.next(60), pauses.next(1)] == [0.2, 0.4]
