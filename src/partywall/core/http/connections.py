"""uvicorn's own protocols, except for what a client may cost that does not behave."""

from __future__ import annotations

import asyncio
import socket
from typing import Final

from uvicorn._types import ASGI3Application, ASGISendEvent
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State

from partywall.core.http.event_socket import TOO_MANY
from partywall.core.http.event_stream import is_open_stream

# How long a client may take to answer the close of a server that drains.
FAREWELL_SECONDS: Final = 1.0
# How long what was sent may stay unacknowledged, or a client's window shut, before the connection is given up.
UNREAD_SECONDS = 60.0
# Of every kind, on one socket: room for all messages that are answered, in parts, and for a client's own pings.
FRAMES_PER_MINUTE: Final = 300


class Http(HttpToolsProtocol):
    """Nothing is kept for a client that stops reading, and one that leaves an open stream is always noticed."""

    _served: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn narrows it
        super().connection_made(transport)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux alone has it
            connection = transport.get_extra_info("socket")
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(UNREAD_SECONDS * 1000))

    def data_received(self, data: bytes) -> None:
        """Whatever comes behind an open stream would wait for its end, and hide that the client has gone."""
        served = self._unfinished()
        if served is not None and is_open_stream(served.scope):
            self._give_up()
        else:
            super().data_received(data)

    def handle_websocket_upgrade(self) -> None:
        """The answer to the request before must not be written into the socket."""
        if self._unfinished() is not None:
            self._give_up()
        else:
            super().handle_websocket_upgrade()

    def connection_lost(self, exc: Exception | None) -> None:
        """uvicorn tells the request that came last; the one that is being answered may be another."""
        self._end_served()
        super().connection_lost(exc)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._served = cycle
        super()._start_asgi_task(cycle, app)

    def _unfinished(self) -> RequestResponseCycle | None:
        return None if self._served is None or self._served.response_complete else self._served

    def _give_up(self) -> None:
        self._end_served()
        self.transport.close()

    def _end_served(self) -> None:
        served = self._unfinished()
        if served is not None:
            served.disconnected = True
            served.message_event.set()


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
        self._minute = self.loop.time()
        self._frames = 0

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
