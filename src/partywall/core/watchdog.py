"""Ends the process when its event loop hangs, so that its supervisor restarts it.

It uses faulthandler's thread, which needs no interpreter lock: a regular expression that never ends holds that lock. A
suspended process cannot end itself, so the supervisor can watch the heartbeat.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Final

BEAT: Final = b"."
LAST_BEAT: Final = b"e"
_LONGEST_PAUSE: Final = 1.0


@contextmanager
def watched(limit: timedelta, heartbeat: int | None = None) -> Iterator[None]:
    """Ends the process with exit code 1 if the running loop does not respond within `limit`.

    First each thread's stack is written to standard error, without any values. The descriptor `heartbeat` gets a byte
    at least once a second, and a different one at the end.
    """
    ticking = _Ticking(asyncio.get_running_loop(), limit.total_seconds(), heartbeat)
    ticking.tick()
    try:
        yield
    finally:
        ticking.stop()


class _Ticking:
    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float, heartbeat: int | None) -> None:
        self._loop = loop
        self._seconds = seconds
        self._heartbeat = heartbeat
        self._timer: asyncio.TimerHandle | None = None
        if heartbeat is not None:
            os.set_blocking(heartbeat, False)

    def tick(self) -> None:
        """Restarts the countdown."""
        faulthandler.dump_traceback_later(self._seconds, file=sys.stderr, exit=True)
        self._beat(BEAT)
        self._timer = self._loop.call_later(min(_LONGEST_PAUSE, self._seconds / 4), self.tick)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        faulthandler.cancel_dump_traceback_later()
        self._beat(LAST_BEAT)

    def _beat(self, said: bytes) -> None:
        if self._heartbeat is not None:
            with suppress(OSError):  # no reader, or a full pipe
                os.write(self._heartbeat, said)
