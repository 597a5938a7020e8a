"""A child that does not answer is killed and restarted; one that is healthy, starting or ending is left alone."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from partywall.core.watchdog import BEAT, LAST_BEAT
from partywall.supervisor.children import Child, EngineHealth
from partywall.supervisor.heartbeat import STARTS_WITHIN, Silence

CHILD = """
import asyncio, os, pathlib, sys
from datetime import timedelta
from partywall.core.watchdog import watched

async def main(started):
    with watched(timedelta(seconds=40), heartbeat=0):
        with started.open("a") as file:
            print(os.getpid(), file=file)
        await asyncio.Event().wait()

sys.stdin.buffer.readline()
asyncio.run(main(pathlib.Path(sys.argv[1])))
"""


def silent(silence: Silence, looks: int) -> bool:
    return [silence.is_too_long(b"") for _ in range(looks)][-1]


def test_a_running_child_is_unresponsive_after_several_checks() -> None:
    silence = Silence(answers_within=45, pause=1)
    assert not silence.is_too_long(BEAT)
    assert not silent(silence, 44)
    assert not silence.is_too_long(BEAT * 3)
    assert not silent(silence, 44)
    assert silent(silence, 1)


@pytest.mark.parametrize("received", [b"", BEAT + LAST_BEAT], ids=["begins", "ends"])
def test_a_starting_or_ending_child_has_a_longer_limit(received: bytes) -> None:
    silence = Silence(answers_within=45, pause=1)
    if received:
        assert not silence.is_too_long(received)
    assert not silent(silence, int(STARTS_WITHIN) - 1)
    assert silent(silence, 1)


@asynccontextmanager
async def kept(child: Child) -> AsyncIterator[None]:
    child.start()
    keeping = asyncio.create_task(child.keep(EngineHealth()))
    try:
        async with asyncio.timeout(60):
            yield
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await child.stop(0)


async def started(file: Path, nth: int) -> int:
    while True:
        if file.exists() and len(lines := file.read_text().splitlines(keepends=True)) >= nth and lines[-1][-1] == "\n":
            return int(lines[nth - 1])
        await asyncio.sleep(0.02)


async def test_a_stopped_child_is_killed_and_another_started(tmp_path: Path) -> None:
    file, messages = tmp_path / "started", list[str]()
    command = (sys.executable, "-c", CHILD, str(file))
    part = Child("part", command, os.environ, messages.append, answers_within=1.5, pause=0.05)
    part.send_start_signal()
    async with kept(part):
        first = await started(file, 1)
        os.kill(first, signal.SIGSTOP)
        assert await started(file, 2) != first
    assert messages[0] == "the part does not answer; killing it"
    assert messages[1].startswith("the part was killed by SIGKILL; starting it again")
