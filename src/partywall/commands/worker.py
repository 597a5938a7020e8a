from __future__ import annotations

import typer

from partywall.commands.begin import HEARTBEAT, WhenTold, wait_until_told
from partywall.commands.preconditions import checked_settings, require_engines
from partywall.worker import run_worker

app = typer.Typer()


@app.command()
def worker(when_told: WhenTold = False) -> None:
    """Run the worker on the engines that the settings name."""
    settings = checked_settings()
    if when_told:
        wait_until_told()
    require_engines(settings)
    run_worker(settings, HEARTBEAT if when_told else None)
