"""uvicorn's protocol for HTTP inside of limits: what one connection may send, in what time, beside how many others."""

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

# How long what was sent may stay unacknowledged, or a client's window shut, before the connection is given up.
UNREAD_SECONDS = 60.0
# Requests behind one that is being answered. Browsers send none.
MOST_PIPELINED: Final = 16
_VERSIONS: Final = ("1.1", "1.0")
# How long a client that has said all it is going to say waits for the beginning of its answer.
HALF_CLOSED_SECONDS = 60.0
# How long a client may go on sending that is told to stop.
_LEAVING_SECONDS: Final = 1.0


class Http(HttpToolsProtocol):
    """Nothing is kept for a client that stops reading or sending; one that leaves an open stream is always noticed."""

    # Beside what uvicorn has, which fills what Python shares of the names of attributes.
    __slots__ = ("_address", "_content", "_has_said_all", "_held", "_leaving", "_listens", "_others", "_progress",
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
        # It has a place; what it says is heard; its first request has come; it has been told to leave.
        self._held = self._listens = self._was_served = self._leaving = False
        self._has_said_all = False
        self._served: RequestResponseCycle | None = None
        self._slot: RequestSlot | None = None
        self.pipeline = Pipeline()  # type: ignore[assignment]  # has what uvicorn uses of its deque

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn narrows it
        super().connection_made(transport)
        self.flow = Flow(transport)
        self._address = self._others.address_of(self.client[0] if self.client else None)
        self._held = self._listens = self._others.admit(self, self._address)
        if not self._held:
            self.connections.discard(self)
            transport.write(bare_problem(refusals.TooManyConnectionsError(headers={"Retry-After": "5"})))
            transport.close()
        elif hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux alone has it
            connection = transport.get_extra_info("socket")
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(UNREAD_SECONDS * 1000))

    def data_received(self, data: bytes) -> None:
        """Whatever comes behind an open stream would wait for its end, and hide that the client has gone."""
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
        """Who says no more may wait for an answer that is being made. Who has left looks the same: nothing begins."""
        served, slot = self._unfinished(), self._slot
        stays = served is not None and self._listens and not self.cycle.more_body and not is_open_stream(served.scope)
        if not stays or (slot is not None and slot.waits):
            return False
        self._has_said_all = True
        self.cycle.keep_alive = False
        self._others.expect(self, self.loop.time() + HALF_CLOSED_SECONDS)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """uvicorn tells the request that came last; the one that is being answered may be another.

        Of one that is reset it keeps the timer, and with it everything, for as long as an idle one may stay.
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
            self.headers = []  # trailers go here: by then a request has been judged by its headers
        elif not self._should_upgrade():
            self.cycle.keep_alive = False  # the parser reads nothing behind it

    def on_message_complete(self) -> None:
        super().on_message_complete()
        if self._slot is not None and self._served is self.cycle:
            self._slot.is_whole = True

    def on_body(self, body: bytes) -> None:
        self._content += len(body)
        super().on_body(body)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - what uvicorn would say is no problem
        if self._listens:
            self._refuse(url_too_long() if len(self.url) > URL_BYTES else refusals.MalformedRequestError())

    def handle_websocket_upgrade(self) -> None:
        """The answer to the request before must not be written into the socket."""
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
        if not protocol.handshake_initiated:  # its parser has refused the request
            self.transport.write(bare_problem(refusals.MalformedRequestError()))
            self.transport.close()

    # What is said of the answers.

    def on_response_complete(self) -> None:
        """A body that was not read is not read now, to no end: the connection ends with the answer."""
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
        """What is being answered is finished; whoever still sends may take longer than anybody waits for the end."""
        served = self._unfinished()
        if served is not None and served.more_body and not served.response_started:
            self._refuse(refusals.StoppingError())
            self.loop.call_later(_LEAVING_SECONDS / 2, self.end)
        else:
            super().shutdown()

    # What the limits ask and tell.

    def take_too_long(self) -> None:
        served = self._unfinished()
        if self._has_said_all and served is not None and served.response_started:
            return  # how fast it reads is judged elsewhere
        if self._leaving or self._has_said_all or (not self._progress.has_begun and served is None):
            self.end()
        else:
            self._refuse(refusals.RequestTimeoutError())

    def end(self) -> None:
        self._end_served()
        self.transport.abort()

    def waits_for_us(self) -> bool:
        return self.flow.read_paused and not self._leaving and not self._has_said_all

    def unsent(self) -> int:
        return self.transport.get_write_buffer_size()

    def _note(self, size: int) -> None:
        """What came was a part of a head or of a body, or made a request whole."""
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
        """It refers to its connection, and would be there as long: half of what an idle one takes."""
        self._served = self._slot = None
        self.cycle = self.scope = None  # type: ignore[assignment]  # as before the first one
        self.headers = []

    def _unfinished(self) -> RequestResponseCycle | None:
        return None if self._served is None or self._served.response_complete else self._served

    def _refuse(self, error: PartywallError) -> None:
        """In place of the application, where no answer has begun. What still comes is thrown away for a moment."""
        served = self._unfinished()
        if served is not None and served.response_started:
            self._give_up()
            return
        self._end_served()
        self.transport.write(bare_problem(error))
        self._leave()

    def _leave(self) -> None:
        """Says no more. A connection that is closed with bytes on their way is reset, and its answer may be lost."""
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
