"""How `serve` has the API and the worker read their programs while their database and cache still start."""

from __future__ import annotations

import sys
from typing import Annotated, Final

import typer

from partywall.supervisor.options import START_SIGNAL_FLAG

StartSignal = Annotated[
    bool,
    typer.Option(
        START_SIGNAL_FLAG, help="Begin when a line comes on standard input; end where none comes.", hidden=True
    ),
]
# What has started this process listens there to whether its event loop answers.
HEARTBEAT: Final = 0


def wait_for_start_signal() -> None:
    """Whoever has started this process has ended, or stops, where the input ends without a line."""
    if not sys.stdin.buffer.readline():
        raise typer.Exit
