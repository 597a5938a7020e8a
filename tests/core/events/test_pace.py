from __future__ import annotations

from uuid import uuid4

import pytest

from partywall.core.events.pace import AT_ONCE, EACH_SECOND, LONGEST, DeliveryPace, cost


def test_an_account_waits_once_it_has_used_more_than_its_share() -> None:
    now = 100.0
    pace = DeliveryPace(lambda: now)
    busy, quiet = uuid4(), uuid4()
    assert pace.wait_after(busy, AT_ONCE) == 0
    assert pace.wait_after(busy, EACH_SECOND) == pytest.approx(1)
    assert pace.wait_after(quiet, AT_ONCE / 2) == 0
    now += 2
    assert pace.wait_after(busy, 0) == 0


def test_waits_are_bounded_and_idle_accounts_are_forgotten() -> None:
    now = 100.0
    pace = DeliveryPace(lambda: now)
    assert pace.wait_after(uuid4(), 1000) == LONGEST
    now += 10_000
    pace.wait_after(uuid4(), 0.1)
    assert len(pace._paid_at) == 1


def test_events_bytes_and_messages_all_cost() -> None:
    assert cost(1, 100) < cost(50, 100) < cost(50, 100_000) < cost(50, 100_000, 50)
