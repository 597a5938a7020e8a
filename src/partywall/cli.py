"""The entry point. It installs signal handlers before the slow imports."""

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
    """Runs the command line and returns its exit code, see `partywall.commands.dispatch`."""
    if arguments[:1] == ["supervise"]:  # what `serve` turns into
        # lint: allow import-in-function - the imports are slow, and the signal handlers must be installed first
        from partywall.supervisor import program  # noqa: PLC0415 - see above

        return program.run(arguments[1:])
    # lint: allow import-in-function - as above
    from partywall.commands import dispatch  # noqa: PLC0415 - see above

    return dispatch.run(arguments)


def _end(signum: int, _frame: FrameType | None) -> None:
    """Exits at once: an exception raised during an import could be swallowed."""
    os._exit(128 + signum)
