"""SIGINT and SIGTERM end a running command cleanly, with exit code 128 plus the signal's number."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_INTERRUPTED = 128 + signal.SIGINT


@dataclass(slots=True)
class Interruption:
    """The signal that raised KeyboardInterrupt."""

    signum: int = signal.SIGINT

    def terminate(self, signum: int, frame: FrameType | None) -> None:
        """Calls the current handler of SIGINT: with asyncio it cancels the main task."""
        self.signum = signum
        handler = signal.getsignal(signal.SIGINT)
        if not callable(handler):
            raise KeyboardInterrupt
        handler(signal.SIGINT, frame)

    def code(self, code: int = _INTERRUPTED) -> int:
        """Returns the exit code of a command that ended with `code`, by signal if it was interrupted."""
        return 128 + self.signum if code == _INTERRUPTED else code


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Both signals raise KeyboardInterrupt in the block; then their handlers are restored."""
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():  # only the main thread receives signals
        yield interruption
        return
    before = {signum: signal.getsignal(signum) for signum in _SIGNALS}
    if before[signal.SIGINT] is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if before[signal.SIGTERM] is not signal.SIG_IGN:
        signal.signal(signal.SIGTERM, interruption.terminate)
    try:
        yield interruption
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
