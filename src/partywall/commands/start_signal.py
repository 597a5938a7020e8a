"""Lets `serve` start the API and the worker early: they import while database and cache still start."""

from __future__ import annotations

import sys
from typing import Annotated, Final

import typer

from partywall.supervisor.options import START_SIGNAL_FLAG

StartSignal = Annotated[
    bool,
    typer.Option(
        START_SIGNAL_FLAG, help="Wait for a line on standard input; exit if it ends without one.", hidden=True
    ),
]
# The file descriptor on which the parent process receives heartbeats of the event loop.
HEARTBEAT: Final = 0


def wait_for_start_signal() -> None:
    """Exits if the input ends without a line: the parent process has ended or is stopping."""
    if not sys.stdin.buffer.readline():
        raise typer.Exit
