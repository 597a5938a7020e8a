"""Ends this process when its event loop does not answer any more, so that whoever started it starts another.

By a thread of the interpreter's own that needs no lock: a pattern that never ends holds the one that our threads need.
"""

from __future__ import annotations

import asyncio
import faulthandler
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

_LONGEST_PAUSE: Final = 1.0


@contextmanager
def watched(limit: timedelta) -> Iterator[None]:
    """While inside, the running loop answers within `limit`, or else the process ends with exit code 1.

    What each thread was at is written to standard error before, without any values.
    """
    ticking = _Ticking(asyncio.get_running_loop(), limit.total_seconds())
    ticking.tick()
    try:
        yield
    finally:
        ticking.stop()


class _Ticking:
    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self._loop = loop
        self._seconds = seconds
        self._timer: asyncio.TimerHandle | None = None

    def tick(self) -> None:
        """Puts off the end."""
        faulthandler.dump_traceback_later(self._seconds, file=sys.stderr, exit=True)
        self._timer = self._loop.call_later(min(_LONGEST_PAUSE, self._seconds / 4), self.tick)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        faulthandler.cancel_dump_traceback_later()
