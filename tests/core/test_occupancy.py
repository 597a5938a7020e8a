from __future__ import annotations

import pytest

from partywall.core import occupancy
from partywall.core.occupancy import SharedPlaces, TimedPlaces


def test_a_place_counts_for_several_and_is_given_back_once() -> None:
    places = SharedPlaces(4)
    first, second = places.take(), places.take()
    assert first is not None
    assert second is not None
    assert [first.counts_for("a", 2), first.counts_for("b", 1)] == [True, True]
    assert [second.counts_for("a", 2), second.counts_for("b", 1)] == [True, False]
    for _ in range(2):
        first.give_back()
    assert places.taken == 1
    assert second.counts_for("b", 1)
    others = [places.take() for _ in range(4)]
    assert [place is None for place in others] == [False, False, False, True]


def test_a_third_is_at_least_one() -> None:
    assert [SharedPlaces(total).third for total in (1, 2, 3, 5, 6, 5000)] == [1, 1, 1, 1, 2, 1666]


def test_places_come_back_with_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(occupancy, "unix_time", lambda: now)
    places = TimedPlaces(SharedPlaces(3), 30.0)
    assert [places.take({"a": 2}) for _ in range(3)] == [True, True, False]
    assert [places.take({"b": 2}) for _ in range(2)] == [True, False], "refused ones hold nothing"
    now += 30.0
    assert places.take({"a": 2})
    assert places.places.taken == 1
