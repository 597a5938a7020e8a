from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, MutableMapping
from typing import Final, Protocol

import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from partywall.core.http.address_limiter import end_request_slot

log = structlog.get_logger(__name__)

# How long sent data may stay unread before the connection is dropped, by default.
SEND_TIMEOUT_SECONDS: Final = 30.0
# Keys in the request's state.
_OPEN_STREAM: Final = "open_stream"
_SERVER_STREAMS: Final = "server_streams"
_KEPT: Final = ("type", "method", "path", "path_params", "state")


def mark_open_stream(scope: Scope) -> None:
    """Tells the server that the answer has no set end, so that later requests on the connection cannot be served."""
    state = scope.setdefault("state", {})
    state[_OPEN_STREAM] = True
    end_request_slot(state)


def is_open_stream(scope: Mapping[str, object]) -> bool:
    state = scope.get("state")
    return isinstance(state, dict) and _OPEN_STREAM in state


class Chunks(Protocol):
    """A stream's source. `next` waits for a chunk and returns None at the end; `close` may be called anytime."""

    async def next(self) -> bytes | None: ...

    def close(self) -> None: ...


class OpenStream:
    """The rest of a request whose answer is a stream. `when_over` is called at its end."""

    __slots__ = ("_chunks", "_opening", "_timeout", "when_over")

    def __init__(self, chunks: Chunks, opening: bytes, timeout: float) -> None:
        self._chunks = chunks
        self._opening = opening
        self._timeout = timeout
        self.when_over: Callable[[], None] | None = None

    async def flush_stream(self, send: Send) -> None:
        """Sends until the chunks end, or the client disconnects or stops reading."""
        chunk: bytes | None = self._opening
        try:
            while chunk is not None:
                async with asyncio.timeout(self._timeout):
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                chunk = await self._chunks.next()
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except OSError as error:
            log.info("stream_abandoned", error=type(error).__name__)
        finally:
            self.end()

    def close(self) -> None:
        """Called when the client disconnects: `flush_stream` ends soon."""
        self._chunks.close()

    def end(self) -> None:
        self.close()
        told, self.when_over = self.when_over, None
        if told is not None:
            told()


def take_streams(state: MutableMapping[str, object]) -> None:
    """Lets the server send event streams, and close them when the client disconnects.

    So a stream does not keep the request and its middleware in memory, which take three times as much as the stream.
    """
    state[_SERVER_STREAMS] = True


def open_stream(scope: Mapping[str, object]) -> OpenStream | None:
    """The stream that the application left to the server to send."""
    state = scope.get("state")
    found = state.get(_OPEN_STREAM) if isinstance(state, dict) else None
    return found if isinstance(found, OpenStream) else None


def close_stream(scope: Mapping[str, object]) -> None:
    """Closes the stream of a client that has disconnected."""
    if (stream := open_stream(scope)) is not None:
        stream.close()


def forget_request(scope: MutableMapping[str, object]) -> None:
    """Removes from a scope what neither the server nor the log needs while the stream is open."""
    kept = {name: scope[name] for name in _KEPT if name in scope}
    scope.clear()
    scope.update(kept)


class EventStream(Response):
    """Server-sent events. Keeps only the source of chunks, and ends when the client disconnects."""

    media_type = "text/event-stream"

    def __init__(self, chunks: Chunks, opening: bytes = b"", timeout: float = SEND_TIMEOUT_SECONDS) -> None:
        self.status_code = 200
        self.background = None
        # Keeps proxies from buffering events, for example to compress them.
        self.init_headers({"Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no"})
        self._stream = OpenStream(chunks, opening, timeout)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Begins the answer. Our server sends the rest; under any other server, this does."""
        mark_open_stream(scope)
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        except BaseException:
            self._stream.close()
            raise
        if _SERVER_STREAMS in scope["state"]:
            scope["state"][_OPEN_STREAM] = self._stream
        else:
            await self._send_watched(receive, send)

    async def _send_watched(self, receive: Receive, send: Send) -> None:
        async with asyncio.TaskGroup() as group:
            watcher = group.create_task(self._close_with_client(receive))
            await self._stream.flush_stream(send)
            watcher.cancel()

    async def _close_with_client(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._stream.close()
