"""Accepts many connections at once from a listening socket.

uvloop accepts one in each round of its loop. When a flood from one address makes rounds long, new connections of all
others would queue behind it.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from typing import Final

import structlog

log = structlog.get_logger(__name__)

# In one round, so that open connections are served in between.
AT_ONCE: Final = 256
PAUSE_SECONDS: Final = 0.5
# The process or the system has no file or memory left for another connection.
_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

type MakeProtocol = Callable[[], asyncio.Protocol]


class Acceptor:
    """Accepts the connections of one listening socket until closed."""

    def __init__(self, listener: socket.socket, make: MakeProtocol, backlog: int) -> None:
        listener.setblocking(False)
        listener.listen(backlog)
        self._listener = listener
        self._make = make
        self._loop = asyncio.get_running_loop()
        self._starting: set[asyncio.Task[None]] = set()
        self._paused: asyncio.TimerHandle | None = None
        self._loop.add_reader(listener, self._accept)

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def close(self) -> None:
        if self._paused is not None:
            self._paused.cancel()
        self._loop.remove_reader(self._listener)
        self._listener.close()

    def _accept(self) -> None:
        for _ in range(AT_ONCE):
            try:
                connection, _ = self._listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._pause(error)
                    return
                continue  # the client has already disconnected
            task = self._loop.create_task(self._start(connection))
            self._starting.add(task)
            task.add_done_callback(self._starting.discard)

    async def _start(self, connection: socket.socket) -> None:
        try:
            connection.setblocking(False)
            if connection.family in (socket.AF_INET, socket.AF_INET6):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await self._loop.connect_accepted_socket(self._make, connection)
        except OSError:
            connection.close()

    def _pause(self, error: OSError) -> None:
        """Stops accepting for a while: waiting connections would wake the loop again and again."""
        log.warning("no_connection_accepted", error=error.strerror)
        self._loop.remove_reader(self._listener)
        self._paused = self._loop.call_later(PAUSE_SECONDS, self._resume)

    def _resume(self) -> None:
        self._paused = None
        self._loop.add_reader(self._listener, self._accept)


def listeners(host: str, port: int) -> list[socket.socket]:
    """Bound sockets for every address of the host; raises OSError."""
    found: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            listener = socket.socket(family, kind, protocol)
            found.append(listener)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.bind(address)
    except OSError:
        for listener in found:
            listener.close()
        raise
    return found
