from __future__ import annotations

import os
import signal
import sys

from partywall.supervisor import ServeOptions
from partywall.supervisor.children import Backoff, Child, EngineHealth, describe

TOLD, LEFT = 7, 8
WAITS = f"import sys; sys.exit({TOLD} if sys.stdin.readline() else {LEFT})"


def child() -> Child:
    return Child("part", (sys.executable, "-c", WAITS), dict(os.environ), print)


def test_each_wait_is_longer_until_it_ran_steadily() -> None:
    backoff = Backoff()
    assert [backoff.next(1) for _ in range(10)] == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0]
    assert backoff.next(61) == 0.2


def test_an_end_is_described_as_a_person_would() -> None:
    assert describe(-9) == "was killed by SIGKILL"
    assert describe(1) == "ended with exit code 1"


def test_the_address_shown_is_one_that_a_browser_can_open() -> None:
    assert ServeOptions(host="0.0.0.0", port=80).base_url == "http://localhost:80"  # noqa: S104 - the point
    assert ServeOptions(host="::1", port=80).base_url == "http://[::1]:80"


def test_a_child_is_not_blamed_for_an_engine_that_fell_while_it_started() -> None:
    health = EngineHealth()
    assert not health.disturbed_since(10.0)
    health.down.add("postgres")
    assert health.disturbed_since(10.0)
    health.down.discard("postgres")
    health.came_back_at = 12.0
    assert health.disturbed_since(10.0)
    assert not health.disturbed_since(13.0)


async def test_a_child_begins_when_it_is_told_and_those_after_it_at_once() -> None:
    part = child()
    part.start()
    part.tell()
    assert await part.exited() == TOLD
    part.start()
    assert await part.exited() == TOLD
    await part.stop(60)


async def test_a_child_that_was_not_told_is_left_to_end() -> None:
    part = child()
    part.start()
    await part.stop(60)
    assert await part.exited() in (LEFT, -signal.SIGTERM)


async def test_telling_a_child_that_has_ended_does_nothing() -> None:
    part = Child("part", (sys.executable, "-c", ""), dict(os.environ), print)
    part.start()
    assert await part.exited() == 0
    part.tell()
    await part.stop(60)
