"""What SIGINT and SIGTERM do to a command that works: it ends in order, with 128 and the signal's number."""

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
    """Which signal has raised KeyboardInterrupt."""

    signum: int = signal.SIGINT

    def terminate(self, signum: int, frame: FrameType | None) -> None:
        """What SIGINT does at this moment: asyncio cancels the main task first."""
        self.signum = signum
        handler = signal.getsignal(signal.SIGINT)
        if not callable(handler):
            raise KeyboardInterrupt
        handler(signal.SIGINT, frame)

    def code(self, code: int = _INTERRUPTED) -> int:
        """The exit code of a command that has ended with `code`, which for both signals is the same."""
        return 128 + self.signum if code == _INTERRUPTED else code


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """For the block both signals raise KeyboardInterrupt; then they do again what they did before."""
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():  # which alone is told of signals
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
