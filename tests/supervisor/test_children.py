from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from partywall.adapters.embedded import EmbeddedValkey, EngineError
from partywall.supervisor.children import Child, EngineHealth, describe, keep_engine
from partywall.supervisor.options import ServeOptions

TOLD, LEFT = 7, 8
WAITS = f"import sys; sys.exit({TOLD} if sys.stdin.readline() else {LEFT})"


def child() -> Child:
    return Child("part", (sys.executable, "-c", WAITS), dict(os.environ), print)


async def test_a_child_is_started_again_when_all_engines_are_there() -> None:
    health = EngineHealth()
    health.fell("postgres")
    health.fell("valkey")
    waiting = asyncio.create_task(health.until_up())
    health.came_back("valkey", 1.0)
    await asyncio.sleep(0)
    assert not waiting.done()
    health.came_back("postgres", 2.0)
    await waiting


async def test_an_engine_that_keeps_failing_is_restarted_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A restart that PostgreSQL needs must not make the next one wait for half a minute."""
    pauses: list[float] = []

    class Falling(EmbeddedValkey):
        async def exited(self) -> int:
            if len(pauses) == 8:
                raise EngineError("enough")
            return 0

        async def start(self) -> None: ...

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", pause)
    with pytest.raises(EngineError, match="enough"):
        await keep_engine(Falling(Path("nowhere")), EngineHealth(), print)
    assert max(pauses) <= 2.0


def test_an_end_is_described_as_a_person_would() -> None:
    assert describe(-9) == "was killed by SIGKILL"
    assert describe(1) == "ended with exit code 1"


def test_the_address_shown_is_one_that_a_browser_can_open() -> None:
    assert ServeOptions(host="0.0.0.0", port=80).base_url == "http://localhost:80"  # noqa: S104 - tests this very address
    assert ServeOptions(host="::1", port=80).base_url == "http://[::1]:80"


def test_an_engine_failure_during_its_start_does_not_count_for_a_child() -> None:
    health = EngineHealth()
    assert not health.disturbed_since(10.0)
    health.fell("postgres")
    assert health.disturbed_since(10.0)
    health.came_back("postgres", 12.0)
    assert health.disturbed_since(10.0)
    assert not health.disturbed_since(13.0)


async def test_a_child_begins_when_notified_and_later_ones_at_once() -> None:
    part = child()
    part.start()
    part.send_start_signal()
    assert await part.exited() == TOLD
    part.start()
    assert await part.exited() == TOLD
    await part.stop(60)


async def test_a_child_that_was_not_notified_may_end() -> None:
    part = child()
    part.start()
    await part.stop(60)
    assert await part.exited() in (LEFT, -signal.SIGTERM)


async def test_telling_a_child_that_has_ended_does_nothing() -> None:
    part = Child("part", (sys.executable, "-c", ""), dict(os.environ), print)
    part.start()
    assert await part.exited() == 0
    part.send_start_signal()
    await part.stop(60)
