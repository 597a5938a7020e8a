"""uvicorn's WebSocket protocol with limits for misbehaving clients."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from uvicorn._types import ASGISendEvent
from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State

from partywall.core.http.event_socket import TOO_MANY
from partywall.core.http.handshake import Handshake

# How long a client may take to answer a close while the server drains.
CLOSE_SECONDS: Final = 1.0
# All kinds, on one socket: enough for all messages that are answered, in fragments, and the client's own pings.
FRAMES_PER_MINUTE: Final = 300


class Sockets(WebSocketsSansIOProtocol):
    """Counts frames before they are processed, including those that the application never sees."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, object],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.conn = Handshake(max_size=config.ws_max_size, logger=self.logger)
        self.on_lost: Callable[[], None] | None = None
        self._minute = self.loop.time()
        self._frames = 0

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self.on_lost is not None:
            self.on_lost()

    def shutdown(self) -> None:
        """While draining, the application closes its subscriptions, after a hint where to resume."""
        self.close_timeout = CLOSE_SECONDS
        if self.close_sent or not self.handshake_complete:
            super().shutdown()

    async def send(self, message: ASGISendEvent) -> None:
        """A close does not wait for a slow reader; it is queued behind the unread data."""
        if message["type"] == "websocket.close":
            self.writable.set()
        await super().send(message)

    def handle_connect(self, event: Request) -> None:
        """Pauses reading until the application listens: frames must not arrive before the upgrade."""
        super().handle_connect(event)
        if not self.transport.is_closing():
            self.read_paused = True
            self.transport.pause_reading()

    def handle_events(self) -> None:
        if self._admits():
            super().handle_events()
        else:
            self._drop()

    def handle_cont(self, event: Frame) -> None:
        """Drops empty fragments: a message may have any number of them."""
        if event.data or event.fin:
            super().handle_cont(event)

    def _admits(self) -> bool:
        now = self.loop.time()
        if now - self._minute >= 60:
            self._minute, self._frames = now, 0
        frames = [event for event in self.conn.events if isinstance(event, Frame)]
        self._frames += len(frames) - any(self._is_awaited(frame) for frame in frames)
        return self._frames <= FRAMES_PER_MINUTE

    def _is_awaited(self, frame: Frame) -> bool:
        """Answers to our pings do not count."""
        return frame.opcode is Opcode.PONG and bytes(frame.data) == self.pending_ping_payload

    def _drop(self) -> None:
        """Tells a client that reads the reason; discards answers that are pending."""
        self.conn.data_to_send()
        if self.conn.state is not State.OPEN or not self.writable.is_set():
            self.transport.abort()
            return
        self.conn.fail(TOO_MANY.code, TOO_MANY.reason)
        self.handle_parser_exception()
