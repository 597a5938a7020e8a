"""Ends this process when its event loop does not answer any more, so that whoever started it starts another.

By a thread of the interpreter's own that needs no lock: a pattern that never ends holds the one that our threads need.
A process that is stopped as a whole cannot end itself: whoever started it may be told of each answer.
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
    """While inside, the running loop answers within `limit`, or else the process ends with exit code 1.

    What each thread was at is written to standard error before, without any values. At least once a second a byte is
    written to the descriptor `heartbeat`, and another one at the end.
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
        """Puts off the end."""
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
            with suppress(OSError):  # nobody reads it now, or any more
                os.write(self._heartbeat, said)
