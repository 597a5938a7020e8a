"""The entry point. It imports next to nothing before it answers signals: reading the program takes a while."""

from __future__ import annotations

import os
import sys

try:
    import signal
except KeyboardInterrupt:
    os._exit(130)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType


def main() -> None:
    for signum in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(signum) is not signal.SIG_IGN:
            signal.signal(signum, _end)
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """The exit code: see `partywall.commands.dispatch`, which is read here."""
    # lint: allow import-in-function - it takes a while, and the signals have to have their handlers before
    from partywall.commands import dispatch  # noqa: PLC0415 - see above

    return dispatch.run(arguments)


def _end(signum: int, _frame: FrameType | None) -> None:
    """Nothing has begun, and an exception could be raised, and be lost, anywhere in what is being imported."""
    os._exit(128 + signum)
