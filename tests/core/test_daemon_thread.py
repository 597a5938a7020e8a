from __future__ import annotations

import subprocess
import sys

import pytest

from partywall.core.daemon_thread import in_daemon_thread

# It would never end by itself.
PROGRAM = """
import asyncio, threading
from partywall.core.daemon_thread import in_daemon_thread

async def main():
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    def never():
        loop.call_soon_threadsafe(begun.set)
        threading.Event().wait()

    reading = asyncio.ensure_future(in_daemon_thread(never))
    await begun.wait()
    reading.cancel()

asyncio.run(main())
print("ended")
"""


async def test_it_answers_or_raises() -> None:
    assert await in_daemon_thread(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        await in_daemon_thread(lambda: 1 // 0)


def test_the_end_of_a_process_does_not_wait_for_it() -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True, timeout=60)
    assert ended.stdout == b"ended\n"
