from __future__ import annotations

import pytest

from partywall.core import concurrency_limiter
from partywall.core.concurrency_limiter import SharedLimiter, TimedSlots


def test_a_slot_counts_for_several_and_is_released_once() -> None:
    slots = SharedLimiter(4)
    first, second = slots.take(), slots.take()
    assert first is not None
    assert second is not None
    assert [first.counts_for("a", 2), first.counts_for("b", 1)] == [True, True]
    assert [second.counts_for("a", 2), second.counts_for("b", 1)] == [True, False]
    for _ in range(2):
        first.release()
    assert slots.taken == 1
    assert second.counts_for("b", 1)
    others = [slots.take() for _ in range(4)]
    assert [slot is None for slot in others] == [False, False, False, True]


def test_a_third_is_at_least_one() -> None:
    assert [SharedLimiter(total).third for total in (1, 2, 3, 5, 6, 5000)] == [1, 1, 1, 1, 2, 1666]


def test_slots_expire(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(concurrency_limiter, "unix_time", lambda: now)
    slots = TimedSlots(SharedLimiter(3), 30.0)
    assert [slots.take({"a": 2}) for _ in range(3)] == [True, True, False]
    assert [slots.take({"b": 2}) for _ in range(2)] == [True, False], "refused ones hold nothing"
    now += 30.0
    assert slots.take({"a": 2})
    assert slots.slots.taken == 1
