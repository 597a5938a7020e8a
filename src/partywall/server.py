from __future__ import annotations

import asyncio
import resource
import socket
from typing import Final, TypedDict

import uvicorn
from uvicorn._types import ASGISendEvent
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from partywall.logs import configure_logging
from partywall.main import create_app
from partywall.settings import Settings

DRAIN_SECONDS: Final = 10
# A client's longest message: room for a token and a filter.
LARGEST_MESSAGE: Final = 8 * 1024
PONG_SECONDS: Final = 20.0
# How long a client may take to answer the close of a server that drains.
FAREWELL_SECONDS: Final = 1.0
# How long what was sent may stay unacknowledged, or a client's window shut, before the connection is given up.
UNREAD_SECONDS = 60.0


class Http(HttpToolsProtocol):
    """uvicorn's own, but nothing is kept for a client that stops reading."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn narrows it
        super().connection_made(transport)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux alone has it
            connection = transport.get_extra_info("socket")
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(UNREAD_SECONDS * 1000))


class Sockets(WebSocketsSansIOProtocol):
    """uvicorn's own, except for how they end."""

    def shutdown(self) -> None:
        """The application closes what it follows, when it drains: first comes the hint where to resume."""
        self.close_timeout = FAREWELL_SECONDS
        if self.close_sent or not self.handshake_complete:
            super().shutdown()

    async def send(self, message: ASGISendEvent) -> None:
        """A close waits for no reader: whoever is too slow is told so behind what it has not read."""
        if message["type"] == "websocket.close":
            self.writable.set()
        await super().send(message)


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
        create_app(settings) if workers == 1 else "partywall.asgi:app",
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
