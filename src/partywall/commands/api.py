from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from partywall.commands.paths import listening_host
from partywall.commands.preconditions import checked_settings, refusals, require_engines
from partywall.commands.start_signal import HEARTBEAT, StartSignal, wait_for_start_signal
from partywall.server import application, run_api
from partywall.supervisor.network import require_free_port

app = typer.Typer()


@app.command()
def api(
    host: Annotated[str, typer.Option(help="The address to listen on.", callback=listening_host)] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port to listen on.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, max=256, help="The number of processes that share the port.")] = 1,
    start_signal: StartSignal = False,
) -> None:
    """Run the API with the engines of the settings."""
    settings = checked_settings(api=True)
    served = application(settings, workers, HEARTBEAT if start_signal else None)
    if start_signal:
        wait_for_start_signal()
    require_engines(settings)
    with refusals():
        asyncio.run(require_free_port(host, port))
    run_api(served, settings, host, port, workers)
