from __future__ import annotations

import uvicorn

from partywall.logs import configure_logging
from partywall.main import create_app
from partywall.settings import Settings

DRAIN_SECONDS = 10


def run_api(settings: Settings, host: str, port: int, workers: int = 1) -> None:
    """The API process, or, with several workers, uvicorn's supervisor of as many, each reading the settings anew."""
    configure_logging(settings.log)
    uvicorn.run(
        create_app(settings) if workers == 1 else "partywall.asgi:app",
        host=host,
        port=port,
        workers=workers,
        loop="uvloop",
        http="httptools",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
