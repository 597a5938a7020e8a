"""A load generator: raw sockets, keep-alive, prebuilt requests, one request in flight per connection."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import cast

HEAD_END = b"\r\n\r\n"
LENGTH = b"content-length:"
MAX_WAIT_SECONDS = 10.0


class WrongAnswerError(Exception):
    """An answer differs from what the scenario expects."""


@dataclass(frozen=True, slots=True)
class Expected:
    """The status of every answer, the `least` size of its body in bytes, and a `part` of it."""

    status: int
    least: int
    part: bytes


@dataclass(slots=True)
class Result:
    """`seconds` is the duration; `latencies` has one per answer, in seconds."""

    answers: int = 0
    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Answers per second."""
        return self.answers / self.seconds

    def percentile(self, share: float) -> float:
        """The latency at `share` (0..1), in milliseconds."""
        ordered = sorted(self.latencies)
        return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Client(asyncio.Protocol):
    """A connection that sends the next request after the response to the last one."""

    def __init__(self, requests: Iterator[bytes], expected: Expected, result: Result, until: float) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._requests = requests
        self._status = b"HTTP/1.1 %d " % expected.status
        self._expected = expected
        self._result = result
        self._until = until
        self._buffer = b""
        self._wanted = 0
        self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's class does not inherit from asyncio's
        self._send_next()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._wanted == 0:
            self._wanted = self._read_head()
        if self._wanted and len(self._buffer) >= self._wanted:
            self._take()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(WrongAnswerError("the server closed a connection") if exc is None else exc)

    def close(self) -> None:
        self._transport.abort()

    def _send_next(self) -> None:
        """Sends the next request, or ends if there is none."""
        request = next(self._requests, None)
        if request is not None:
            self._sent = time.perf_counter()
            self._transport.write(request)
        elif not self.done.done():
            self.done.set_result(None)

    def _read_head(self) -> int:
        """The length of the whole answer; 0 while its head is incomplete."""
        end = self._buffer.find(HEAD_END)
        if end < 0:
            return 0
        start = self._buffer.find(LENGTH, 0, end)
        stop = self._buffer.find(b"\r\n", start)
        body = int(self._buffer[start + len(LENGTH) : stop]) if start >= 0 else -1
        if not self._buffer.startswith(self._status) or body < self._expected.least:
            self._refuse()
        return end + len(HEAD_END) + body

    def _take(self) -> None:
        now = time.perf_counter()
        if self._expected.part not in self._buffer or len(self._buffer) != self._wanted:
            self._refuse()
        self._result.answers += 1
        self._result.latencies.append(now - self._sent)
        self._buffer, self._wanted = b"", 0
        if now < self._until:
            self._send_next()
        elif not self.done.done():
            self.done.set_result(None)

    def _refuse(self) -> None:
        if not self.done.done():
            self.done.set_exception(WrongAnswerError(self._buffer[:600].decode(errors="replace")))
        self._transport.abort()


async def run(port: int, requests: Sequence[bytes], expected: Expected, *, connections: int, seconds: float) -> Result:
    """Loads the server on loopback for `seconds`. Raises WrongAnswerError for an unexpected answer."""
    return await _load(port, itertools.cycle(requests), expected, connections=connections, seconds=seconds)


async def run_once(
    port: int, requests: Sequence[bytes], expected: Expected, *, connections: int, seconds: float
) -> Result:
    """Sends each request once, within `seconds`."""
    result = await _load(port, iter(requests), expected, connections=connections, seconds=seconds)
    assert result.answers == len(requests), f"{result.answers} of {len(requests)} requests were answered"
    return result


async def _load(
    port: int, upcoming: Iterator[bytes], expected: Expected, *, connections: int, seconds: float
) -> Result:
    result = Result()
    started = time.perf_counter()
    clients = [Client(upcoming, expected, result, started + seconds) for _ in range(connections)]
    await asyncio.gather(*(_connect(client, port) for client in clients))
    try:
        async with asyncio.timeout(seconds + MAX_WAIT_SECONDS):
            await asyncio.gather(*(client.done for client in clients))
    finally:
        for client in clients:
            client.close()
    result.seconds = time.perf_counter() - started
    return result


async def _connect(client: Client, port: int) -> None:
    await asyncio.get_running_loop().create_connection(lambda: client, "127.0.0.1", port)


def request(
    method: str, path: str, headers: Sequence[tuple[str, str]], body: bytes = b"", media_type: str = "application/json"
) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *(f"{name}: {value}" for name, value in headers)]
    if body:
        lines += [f"Content-Type: {media_type}", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body
