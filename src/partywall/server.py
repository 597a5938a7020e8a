from __future__ import annotations

import asyncio
import resource
import signal
import socket
import sys
from contextlib import suppress
from functools import partial
from typing import Final, TypedDict, cast

import structlog
import uvicorn
from fastapi import FastAPI
from uvicorn.supervisors import Multiprocess

from partywall.core.http.acceptor import Acceptor, listeners
from partywall.core.http.connection_limits import Connections, Limits
from partywall.core.http.connections import Http
from partywall.core.http.socket_protocol import Sockets
from partywall.core.memory import release_memory
from partywall.core.security.client_address import ClientAddresses
from partywall.core.shared_threads import shorten_switch_interval
from partywall.logs import configure_logging
from partywall.main import create_app
from partywall.settings import Settings

log = structlog.get_logger(__name__)

DRAIN_SECONDS: Final = 10
STARTUP_FAILED: Final = 3
TAKEN_AT_ONCE: Final = 16
# A client's longest message: holds a token and a filter.
LARGEST_MESSAGE: Final = 8 * 1024
PONG_SECONDS: Final = 20.0
# File descriptors not used by client connections: database, cache, blobs, spool and outgoing calls.
RESERVED_FILES: Final = 256
# Connections that no process has accepted yet.
BACKLOG: Final = 2048
# A new worker process imports the program first, which can take longer than uvicorn's default of 5 s on a busy machine.
ANSWERS_WITHIN: Final = 30
# How many sent bytes all clients together may leave unread.
UNSENT_BYTES: Final = 48 * 1024 * 1024


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
    timeout_keep_alive: int
    backlog: int
    timeout_worker_healthcheck: int


def server_options(settings: Settings) -> ServerOptions:
    """uvicorn's options, for each way to start it."""
    return {
        "http": cast("type[asyncio.Protocol]", partial(Http, others=connections(settings))),
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
        "timeout_keep_alive": int(settings.http.keep_alive.total_seconds()),
        "backlog": BACKLOG,
        "timeout_worker_healthcheck": ANSWERS_WITHIN,
    }


def connections(settings: Settings) -> Connections:
    """The connection limits of one process, within its limit of open files."""
    http = settings.http
    may_open, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    total = min(http.connections, max(may_open - RESERVED_FILES, may_open // 2))
    limits = Limits(
        total=total,
        each=http.connections_per_address or max(1, total // 2),
        unserved=http.unserved_per_address,
        header_seconds=http.header_timeout.total_seconds(),
        body_seconds=http.body_timeout.total_seconds(),
        rate=http.min_rate,
        unsent_bytes=UNSENT_BYTES,
    )
    return Connections(limits, ClientAddresses(http.trusted_proxies))


def application(settings: Settings, workers: int, heartbeat: int | None = None) -> FastAPI | str:
    """The application for uvicorn. Each of several workers creates its own and reads the settings again."""
    configure_logging(settings.log)
    release_memory()
    shorten_switch_interval()
    if workers > 1:
        return "partywall.asgi:app"
    return create_app(settings, own_process=True, heartbeat=heartbeat)


def run_api(served: FastAPI | str, settings: Settings, host: str, port: int, workers: int) -> None:
    """Runs the API process, or uvicorn's supervisor with several workers."""
    _allow_many_connections()
    config = uvicorn.Config(
        served,
        host=host,
        port=port,
        workers=workers,
        loop="uvloop",
        **server_options(settings),
    )
    with suppress(KeyboardInterrupt):
        if workers > 1:
            bound = config.bind_socket()
            # uvicorn's own servers accept one connection per socket in each round of the loop.
            hangup = signal.getsignal(signal.SIGHUP)
            several = Multiprocess(config, sockets=[bound, *(bound.dup() for _ in range(TAKEN_AT_ONCE - 1))])
            if hangup is signal.SIG_IGN:  # set by `nohup`; uvicorn's supervisor replaces it
                signal.signal(signal.SIGHUP, hangup)
            several.run()
            return
        server = Server(config)
        server.run()
        if not server.started:
            sys.exit(STARTUP_FAILED)


class Server(uvicorn.Server):
    """uvicorn's server with acceptors of its own."""

    _acceptors: tuple[Acceptor, ...] = ()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=[])
        config = self.config
        try:
            bound = listeners(config.host, config.port) if sockets is None else sockets
        except OSError as error:
            log.warning("cannot_listen", host=config.host, port=config.port, error=error.strerror)
            self.started = False
            await self.lifespan.shutdown()
            sys.exit(STARTUP_FAILED)
        self._acceptors = tuple(Acceptor(each, self._protocol, config.backlog) for each in bound)

    @property
    def port(self) -> int:
        return self._acceptors[0].port

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for acceptor in self._acceptors:
            acceptor.close()
        await super().shutdown(sockets)

    def _protocol(self) -> asyncio.Protocol:
        config = self.config
        return config.http_protocol_class(  # type: ignore[call-arg]  # uvicorn's own protocols take these
            config=config, server_state=self.server_state, app_state=self.lifespan.state
        )


def _allow_many_connections() -> None:
    """Raises the soft limit of open files, which is often 1,024: each stream needs one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
