"""uvicorn's HTTP protocol with limits: how much a connection may send, how fast, and how many there may be."""

from __future__ import annotations

import asyncio
import socket
from functools import partial
from typing import Final

from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from partywall.core.errors import PartywallError
from partywall.core.http import connection_errors as refusals
from partywall.core.http.address_limiter import RequestSlot, caller_of, set_request_slot
from partywall.core.http.bare_problem import bare_problem
from partywall.core.http.connection_limits import Connections
from partywall.core.http.event_stream import close_stream, is_open_stream
from partywall.core.http.flow import Flow, Pipeline
from partywall.core.http.request_cycle import RequestCycle, awaited
from partywall.core.http.request_head import URL_BYTES, fault_of_upgrade, head_too_large, url_too_long
from partywall.core.http.request_progress import Part, Progress
from partywall.core.http.socket_protocol import Sockets

# How long sent data may stay unacknowledged, or a client's window closed, before the connection is dropped.
UNREAD_SECONDS = 60.0
# Pipelined requests behind the current one. Browsers send none.
MOST_PIPELINED: Final = 16
_VERSIONS: Final = ("1.1", "1.0")
# How long a half-closed client waits for its answer to begin.
HALF_CLOSED_SECONDS = 60.0
# How long a client may go on sending after it was told to stop.
_LEAVING_SECONDS: Final = 1.0


class Http(HttpToolsProtocol):
    """An HTTP connection. Drops clients that stop reading or sending; always notices one that leaves a stream."""

    # Slots, because uvicorn's attributes already fill Python's key-sharing dictionary.
    __slots__ = ("_address", "_content", "_half_closed", "_held", "_leaving", "_listens", "_others", "_progress",
                 "_served", "_slot", "_was_served")  # fmt: skip

    url = b""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, object],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        others: Connections,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._others = others
        self._address: str | None = None
        self._progress = Progress(self.loop.time())
        self._content = 0
        # It is counted; its input is read; its first request has arrived; it was told to leave.
        self._held = self._listens = self._was_served = self._leaving = False
        self._half_closed = False
        self._served: RequestResponseCycle | None = None
        self._slot: RequestSlot | None = None
        self.pipeline = Pipeline()  # type: ignore[assignment]  # has the deque methods that uvicorn uses

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn narrows it
        super().connection_made(transport)
        self.flow = Flow(transport)
        self._address = self._others.address_of(self.client[0] if self.client else None)
        self._held = self._listens = self._others.admit(self, self._address)
        if not self._held:
            self.connections.discard(self)
            transport.write(bare_problem(refusals.TooManyConnectionsError(headers={"Retry-After": "5"})))
            transport.close()
        elif hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux only
            connection = transport.get_extra_info("socket")
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(UNREAD_SECONDS * 1000))

    def data_received(self, data: bytes) -> None:
        """Drops a client that sends more during an open stream: it would wait, and hide a disconnect."""
        if not self._listens:
            return
        served = self._unfinished()
        if served is not None and is_open_stream(served.scope):
            self._give_up()
            return
        self._others.is_busy(self, self._address)
        super().data_received(data)
        if self._listens:
            self._note(len(data))

    def eof_received(self) -> bool:  # type: ignore[override]  # uvicorn never keeps the connection
        """Keeps a half-closed connection only if its answer is in progress: a client that left looks the same."""
        served, slot = self._unfinished(), self._slot
        stays = served is not None and self._listens and not self.cycle.more_body and not is_open_stream(served.scope)
        if not stays or (slot is not None and slot.waits):
            return False
        self._half_closed = True
        self.cycle.keep_alive = False
        self._others.expect(self, self.loop.time() + HALF_CLOSED_SECONDS)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends the current request: uvicorn notifies only the last one, which may be another.

        After a reset, uvicorn would keep its timer, and so the whole connection, for the keep-alive time.
        """
        self._end_served()
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        self._forget_request()
        if self._held:
            self._held = False
            self._others.forget(self, self._address)
            self._others.release(self._address)

    def on_message_begin(self) -> None:
        if len(self.pipeline) >= MOST_PIPELINED:
            self._listens = False
            last, _ = self.pipeline[0]
            last.keep_alive = False
            raise refusals.UnservedError
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        if self.parser.get_http_version() not in _VERSIONS:
            raise refusals.UnservedError
        super().on_headers_complete()
        if not self.parser.should_upgrade():
            self.headers = []  # trailers go here; the request's headers have been checked by then
        elif not self._should_upgrade():
            self.cycle.keep_alive = False  # the parser reads nothing more

    def on_message_complete(self) -> None:
        super().on_message_complete()
        if self._slot is not None and self._served is self.cycle:
            self._slot.is_whole = True

    def on_body(self, body: bytes) -> None:
        self._content += len(body)
        super().on_body(body)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's text is not a problem document
        if self._listens:
            self._refuse(url_too_long() if len(self.url) > URL_BYTES else refusals.MalformedRequestError())

    def handle_websocket_upgrade(self) -> None:
        """Drops the upgrade if the previous answer is not finished: it must not be written into the socket."""
        if self._unfinished() is not None:
            self._give_up()
            return
        fault = fault_of_upgrade(self.url, list(self.scope["headers"]))
        if fault is not None or self.scope["method"] != "GET" or self.scope["http_version"] != "1.1":
            self._refuse(fault or refusals.MalformedRequestError())
            return
        super().handle_websocket_upgrade()
        self._held = self._listens = False
        self._others.forget(self, self._address)
        protocol = self.transport.get_protocol()
        assert isinstance(protocol, Sockets)
        protocol.on_lost = partial(self._others.release, self._address)
        if not protocol.handshake_initiated:  # its parser rejected the request
            self.transport.write(bare_problem(refusals.MalformedRequestError()))
            self.transport.close()

    # Hooks for answers.

    def on_response_complete(self) -> None:
        """Closes the connection if the request's body was not read: the rest could be endless."""
        served = self._served
        if self._slot is not None:
            self._slot.end()
        if served is not None and served.more_body and not self.transport.is_closing():
            self._leave()
            return
        super().on_response_complete()
        if self.timeout_keep_alive_task is not None:
            self._others.is_idle(self, self._address)
            self._forget_request()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._others.falls_behind(self)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._others.catches_up(self)

    def timeout_keep_alive_handler(self) -> None:
        if self.unsent():
            self.end()
        else:
            super().timeout_keep_alive_handler()

    def shutdown(self) -> None:
        """Finishes current answers, but refuses a request whose body is still arriving: that could take too long."""
        served = self._unfinished()
        if served is not None and served.more_body and not served.response_started:
            self._refuse(refusals.StoppingError())
            self.loop.call_later(_LEAVING_SECONDS / 2, self.end)
        else:
            super().shutdown()

    # Used by the limits.

    def take_too_long(self) -> None:
        served = self._unfinished()
        if self._half_closed and served is not None and served.response_started:
            return  # its reading speed is checked elsewhere
        if self._leaving or self._half_closed or (not self._progress.has_begun and served is None):
            self.end()
        else:
            self._refuse(refusals.RequestTimeoutError())

    def end(self) -> None:
        self._end_served()
        self.transport.abort()

    def waits_for_us(self) -> bool:
        return self.flow.read_paused and not self._leaving and not self._half_closed

    def unsent(self) -> int:
        return self.transport.get_write_buffer_size()

    def _note(self, size: int) -> None:
        """Counts new data towards a head or a body, or notes a complete request."""
        part, progress = awaited(self.cycle, self.scope), self._progress
        if part is Part.NOTHING:
            if progress.part is not part:
                self._note_whole()
            return
        if part is not progress.part:
            progress.begin(part, self.loop.time(), self._content)
        elif not progress.admits(size, self._content):
            self._refuse(head_too_large(self.url) if part is Part.HEAD else refusals.MalformedRequestError())
            return
        limits = self._others.limits
        self._others.expect(self, progress.due(limits.header_seconds, limits.body_seconds, limits.rate))

    def _note_whole(self) -> None:
        self._progress.part = Part.NOTHING
        if self._was_served:
            self._others.expect_nothing(self)
        else:
            self._was_served = True
            self._others.forget(self, self._address)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._served = cycle
        begin = partial(super()._start_asgi_task, cycle, RequestCycle(cycle, app))
        if self._address is None:
            begin()
        else:
            caller = caller_of(cycle.scope["headers"])
            self._slot = self._others.address_limiter.take(self._address, begin, self._refuse, caller)
            set_request_slot(cycle.scope["state"], self._slot)

    def _forget_request(self) -> None:
        """Frees the request, which takes half of an idle connection's memory."""
        self._served = self._slot = None
        self.cycle = self.scope = None  # type: ignore[assignment]  # as before the first request
        self.headers = []

    def _unfinished(self) -> RequestResponseCycle | None:
        return None if self._served is None or self._served.response_complete else self._served

    def _refuse(self, error: PartywallError) -> None:
        """Answers instead of the application, if no answer has begun; discards further input for a moment."""
        served = self._unfinished()
        if served is not None and served.response_started:
            self._give_up()
            return
        self._end_served()
        self.transport.write(bare_problem(error))
        self._leave()

    def _leave(self) -> None:
        """Stops writing but still reads: closing with unread bytes resets the connection and may lose the answer."""
        self._leaving, self._listens = True, False
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._others.expect(self, self.loop.time() + _LEAVING_SECONDS)

    def _give_up(self) -> None:
        self._end_served()
        self.transport.close()

    def _end_served(self) -> None:
        served = self._unfinished()
        if served is not None:
            served.disconnected = True
            served.message_event.set()
            close_stream(served.scope)
            if self._slot is not None:
                self._slot.abandon()
