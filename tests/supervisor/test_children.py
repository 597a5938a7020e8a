from __future__ import annotations

from partywall.supervisor import ServeOptions
from partywall.supervisor.children import Backoff, EngineHealth, describe


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
