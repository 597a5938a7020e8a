"""uvicorn's protocol for WebSockets, except for what a client may cost that does not behave."""

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

# How long a client may take to answer the close of a server that drains.
CLOSE_SECONDS: Final = 1.0
# Of every kind, on one socket: room for all messages that are answered, in parts, and for a client's own pings.
FRAMES_PER_MINUTE: Final = 300


class Sockets(WebSocketsSansIOProtocol):
    """Frames are counted before anything is made of them, also those that no application ever sees."""

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
        """The application closes what it follows, when it drains: first comes the hint where to resume."""
        self.close_timeout = CLOSE_SECONDS
        if self.close_sent or not self.handshake_complete:
            super().shutdown()

    async def send(self, message: ASGISendEvent) -> None:
        """A close waits for no reader: whoever is too slow is told so behind what it has not read."""
        if message["type"] == "websocket.close":
            self.writable.set()
        await super().send(message)

    def handle_connect(self, event: Request) -> None:
        """Nothing more is read before the application has begun to listen: no frame may come before the upgrade."""
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
        """A part that adds nothing is not kept: a message may have any number of them."""
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
        """Whoever answers our ping has no choice how often."""
        return frame.opcode is Opcode.PONG and bytes(frame.data) == self.pending_ping_payload

    def _drop(self) -> None:
        """Says why to a client that reads; what was to be answered before that is thrown away."""
        self.conn.data_to_send()
        if self.conn.state is not State.OPEN or not self.writable.is_set():
            self.transport.abort()
            return
        self.conn.fail(TOO_MANY.code, TOO_MANY.reason)
        self.handle_parser_exception()
