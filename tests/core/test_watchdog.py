"""In processes of their own, for they end."""

from __future__ import annotations

import asyncio
import sys

import pytest

WATCHED = """
import asyncio, re, sys
from datetime import timedelta
from partywall.core.watchdog import watched

def blocked():
    re.fullmatch("(a|aa)*b", "a" * 100)  # holds the interpreter's lock for ever

async def main():
    with watched(timedelta(seconds=2)):
        for _ in range(6):
            await asyncio.sleep(0.5)
        if "block" in sys.argv:
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
worker.run_worker(settings)
"""
API = f"""{SETTINGS}
main.open_resources = blocked
server.run_api(server.application(settings, 1), settings, "127.0.0.1", 0, 1)
"""


async def ended(program: str, *arguments: str) -> tuple[int | None, str]:
    """Its exit code, and what it has said of its end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, *arguments, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(60):
            said = (await process.communicate())[1].decode()
    finally:
        if process.returncode is None:
            process.kill()
    return process.returncode, said


@pytest.mark.parametrize(
    ("program", "arguments"), [(WATCHED, ["block"]), (WORKER, []), (API, [])], ids=["pattern", "worker", "api"]
)
async def test_a_process_whose_loop_does_not_answer_ends_and_says_where_it_was(
    program: str, arguments: list[str]
) -> None:
    code, said = await ended(program, *arguments)
    assert code == 1
    assert "Timeout" in said
    assert "in blocked" in said


async def test_a_process_whose_loop_answers_goes_on() -> None:
    assert await ended(WATCHED) == (0, "")
