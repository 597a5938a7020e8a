"""The pauses between attempts."""

from __future__ import annotations

from datetime import timedelta

import pytest

from partywall.core.jobs import dead_letter
from partywall.features.runs.execution import retry_schedule
from partywall.features.runs.execution.retry_schedule import after_turned_away, next_attempt, next_paid_attempt


def test_pauses_double_up_to_a_minute_and_the_last_attempt_is_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    at, lasting, pauses = timedelta(), timedelta(minutes=15), []
    while (pause := next_attempt(at, lasting, None)) is not None:
        pauses.append(pause)
        at += pause
    assert at == lasting
    assert max(pauses) <= retry_schedule.LONGEST_PAUSE
    assert 15 < len(pauses) < 50
    assert next_attempt(timedelta(), lasting, timedelta(seconds=45)) == timedelta(seconds=45)
    assert next_attempt(timedelta(minutes=14), lasting, timedelta(minutes=1)) == timedelta(minutes=1)
    assert next_attempt(timedelta(minutes=14), lasting, timedelta(minutes=2)) is None
    assert next_attempt(timedelta(), timedelta(), None) is None


def test_three_attempts_that_break_off_take_more_than_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    lasting = timedelta(minutes=15)
    first, second = (next_paid_attempt(timedelta(), lasting, None, attempts) for attempts in (1, 2))
    assert first is not None
    assert second is not None
    assert timedelta(seconds=5) <= first < timedelta(seconds=10)
    assert first + second > timedelta(minutes=1)
    assert next_paid_attempt(timedelta(minutes=14), lasting, None, 9) == timedelta(minutes=1)
    assert next_paid_attempt(timedelta(), lasting, timedelta(minutes=3), 1) == timedelta(minutes=3)
    assert next_paid_attempt(lasting, lasting, None, 1) is None


def test_a_run_stopped_by_an_open_circuit_returns_when_it_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    lasting, after = timedelta(minutes=15), timedelta(seconds=2)
    for failing in (timedelta(), timedelta(minutes=10)):
        pause = after_turned_away(failing, lasting, after)
        assert pause is not None
        assert after < pause <= after + dead_letter.FIRST_DELAY
    assert after_turned_away(lasting - timedelta(seconds=1), lasting, after) == timedelta(seconds=1)
    assert after_turned_away(lasting, lasting, after) is None
