"""In separate processes, because the watchdog ends them."""

from __future__ import annotations

import asyncio
import faulthandler
import sys
from datetime import timedelta

import pytest

from partywall.core.watchdog import watched

WATCHED = """
import asyncio, re
from datetime import timedelta
from partywall.core.watchdog import watched

def blocked():
    re.fullmatch("(a|aa)*b", "a" * 100)  # holds the interpreter's lock for ever

async def main():
    with watched(timedelta(seconds=0.5)):
        blocked()

asyncio.run(main())
"""
SETTINGS = """
import time
from partywall import main, server, worker
from partywall.settings import Settings

settings = Settings.model_validate({
    "processes": {"loop_timeout": "PT2S"},
    "database": {"engine": "server", "url": "postgresql+asyncpg://nobody@127.0.0.1:1/x"},
    "cache": {"engine": "server", "url": "redis://127.0.0.1:1"},
})

def blocked(*_, **__):
    time.sleep(600)
"""
WORKER = f"""{SETTINGS}
worker.work = blocked
worker.run_worker(settings, ())
"""
API = f"""{SETTINGS}
main.open_resources = blocked
server.run_api(server.application(settings, 1), settings, "127.0.0.1", 0, 1)
"""


async def ended(program: str) -> tuple[int | None, str]:
    """The process's exit code, and its message."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(60):
            output = (await process.communicate())[1].decode()
    finally:
        if process.returncode is None:
            process.kill()
    return process.returncode, output


@pytest.mark.parametrize("program", [WATCHED, WORKER, API], ids=["pattern", "worker", "api"])
async def test_a_blocked_loop_ends_the_process_with_a_traceback(program: str) -> None:
    code, output = await ended(program)
    assert code == 1
    assert "Timeout" in output
    assert "in blocked" in output


async def test_a_responsive_loop_keeps_the_process_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    put_off, cancelled = list[float](), list[bool]()
    monkeypatch.setattr(faulthandler, "dump_traceback_later", lambda seconds, **_: put_off.append(seconds))
    monkeypatch.setattr(faulthandler, "cancel_dump_traceback_later", lambda: cancelled.append(True))
    with watched(timedelta(seconds=0.2)):
        async with asyncio.timeout(60):
            while len(put_off) < 4:
                await asyncio.sleep(0.01)
        assert not cancelled
    assert (set(put_off), cancelled) == ({0.2}, [True])
