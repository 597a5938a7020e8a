"""How `serve` has the API and the worker read their programs while their database and cache still start."""

from __future__ import annotations

import sys
from typing import Annotated, Final

import typer

from partywall.supervisor.options import WHEN_TOLD

WhenTold = Annotated[
    bool, typer.Option(WHEN_TOLD, help="Begin when a line comes on standard input; end where none comes.", hidden=True)
]
# What has started this process listens there to whether its event loop answers.
HEARTBEAT: Final = 0


def wait_until_told() -> None:
    """Whoever has started this process has ended, or stops, where the input ends without a line."""
    if not sys.stdin.buffer.readline():
        raise typer.Exit
