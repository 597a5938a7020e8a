"""A network that fails on demand, between a client and the real server."""

from __future__ import annotations

import select
import socket
import threading
from types import TracebackType
from typing import Self

BUSY = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 0\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

METHODS = (b"GET ", b"POST ", b"PATCH ", b"DELETE ")


class Proxy:
    """`lose`: answers to cut off after the server has sent them. `busy`: requests to answer with 503.

    `posts`: POST requests to pass on before all others get a 503.
    """

    def __init__(self, port: int) -> None:
        self.lose = 0
        self.busy = 0
        self.posts: int | None = None
        self.requests = 0
        self._upstream = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(5)
        self._listener.close()

    def _accept(self) -> None:
        while not self._stop.is_set():
            if select.select([self._listener], [], [], 0.05)[0]:
                thread = threading.Thread(target=self._serve, args=(self._listener.accept()[0],))
                self._threads.append(thread)
                thread.start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._upstream)) as server:
            while not self._stop.is_set():
                for readable in select.select([client, server], [], [], 0.05)[0]:
                    if not self._pass_on(readable, client, server):
                        return

    def _pass_on(self, readable: socket.socket, client: socket.socket, server: socket.socket) -> bool:
        """Returns False when the connection is over."""
        try:
            data = readable.recv(65536)
        except ConnectionError:
            return False
        if not data:
            return False
        if readable is client:
            begins = data.startswith(METHODS)
            self.requests += begins
            if begins and self._is_busy(data):
                client.sendall(BUSY)
                return False
            server.sendall(data)
            return True
        if self.lose:
            self.lose -= 1
            return False
        client.sendall(data)
        return True

    def _is_busy(self, request: bytes) -> bool:
        if self.posts is not None and request.startswith(b"POST "):
            self.posts -= 1
            return self.posts < 0
        if self.busy:
            self.busy -= 1
            return True
        return False
