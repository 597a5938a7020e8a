from __future__ import annotations

import typer

from partywall.commands.preconditions import checked_settings
from partywall.worker import run_worker

app = typer.Typer()


@app.command()
def worker() -> None:
    """Run the worker on the engines that the settings name."""
    run_worker(checked_settings())
