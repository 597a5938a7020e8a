from __future__ import annotations

import asyncio
import resource
from typing import Final, TypedDict

import uvicorn

from partywall.core.http.connections import Http, Sockets
from partywall.logs import configure_logging
from partywall.main import create_app
from partywall.settings import Settings

DRAIN_SECONDS: Final = 10
# A client's longest message: room for a token and a filter.
LARGEST_MESSAGE: Final = 8 * 1024
PONG_SECONDS: Final = 20.0


class ServerOptions(TypedDict):
    http: type[asyncio.Protocol]
    ws: type[asyncio.Protocol]
    ws_max_size: int
    ws_ping_interval: float
    ws_ping_timeout: float
    ws_per_message_deflate: bool
    log_config: None
    access_log: bool
    server_header: bool
    proxy_headers: bool
    timeout_graceful_shutdown: int


def server_options(settings: Settings) -> ServerOptions:
    """How uvicorn serves the application, whoever starts it."""
    return {
        "http": Http,
        "ws": Sockets,
        "ws_max_size": LARGEST_MESSAGE,
        "ws_ping_interval": settings.events.heartbeat.total_seconds(),
        "ws_ping_timeout": PONG_SECONDS,
        "ws_per_message_deflate": False,  # costs every connection its own compressor
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
        "timeout_graceful_shutdown": DRAIN_SECONDS,
    }


def run_api(settings: Settings, host: str, port: int, workers: int = 1) -> None:
    """The API process, or, with several workers, uvicorn's supervisor of as many, each reading the settings anew."""
    configure_logging(settings.log)
    _allow_many_connections()
    uvicorn.run(
        create_app(settings, own_process=True) if workers == 1 else "partywall.asgi:app",
        host=host,
        port=port,
        workers=workers,
        loop="uvloop",
        **server_options(settings),
    )


def _allow_many_connections() -> None:
    """Each stream is an open file, and 1,024 of them is all that many systems give without being asked."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
