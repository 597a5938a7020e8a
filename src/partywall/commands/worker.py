from __future__ import annotations

import typer

from partywall.commands.preconditions import checked_settings, require_engines
from partywall.commands.start_signal import HEARTBEAT, StartSignal, wait_for_start_signal
from partywall.worker import imported_features, run_worker

app = typer.Typer()


@app.command()
def worker(start_signal: StartSignal = False) -> None:
    """Run the worker with the engines of the settings."""
    settings = checked_settings(worker=True)
    features = imported_features(settings)
    if start_signal:
        wait_for_start_signal()
    require_engines(settings)
    run_worker(settings, features, HEARTBEAT if start_signal else None)
