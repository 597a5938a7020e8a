from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final, Protocol

import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from partywall.core.http.turns import end_turn

log = structlog.get_logger(__name__)

# How long a client may leave what was sent to it unread before the connection is given up, unless told otherwise.
SEND_TIMEOUT_SECONDS: Final = 30.0
_OPEN_STREAM: Final = "open_stream"


def mark_open_stream(scope: Scope) -> None:
    """Tells the server that the answer ends when it pleases, so that nothing behind the request is worth waiting."""
    state = scope.setdefault("state", {})
    state[_OPEN_STREAM] = True
    end_turn(state)


def is_open_stream(scope: Mapping[str, object]) -> bool:
    state = scope.get("state")
    return isinstance(state, dict) and _OPEN_STREAM in state


class Chunks(Protocol):
    """What a stream sends. `next` waits for it and answers None at the end; `close` may be called at any time."""

    async def next(self) -> bytes | None: ...

    def close(self) -> None: ...


class EventStream(Response):
    """Server-sent events. Holds nothing but the chunks' source, and ends as soon as the client is gone."""

    media_type = "text/event-stream"

    def __init__(self, chunks: Chunks, opening: bytes = b"", timeout: float = SEND_TIMEOUT_SECONDS) -> None:
        self.status_code = 200
        self.background = None
        # For proxies on the way: none may hold events back, be it to compress them.
        self.init_headers({"Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no"})
        self._chunks = chunks
        self._opening = opening
        self._timeout = timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        mark_open_stream(scope)
        try:
            async with asyncio.TaskGroup() as group:
                watcher = group.create_task(self._close_with_client(receive))
                await self._pour(send)
                watcher.cancel()
        finally:
            self._chunks.close()

    async def _close_with_client(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._chunks.close()

    async def _pour(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        chunk: bytes | None = self._opening
        try:
            while chunk is not None:
                async with asyncio.timeout(self._timeout):
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                chunk = await self._chunks.next()
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except OSError as error:
            log.info("stream_abandoned", error=type(error).__name__)
