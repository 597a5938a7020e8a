"""The server's handling of one request, adapted to answers that are sent by the server itself."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import cast

from starlette.types import Send
from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, HTTPScope, Scope
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from partywall.core.http.event_stream import forget_request, open_stream, take_streams
from partywall.core.http.request_progress import Part


class RequestCycle:
    """Calls the application for one request, then sends the stream that it left to the server, if any."""

    __slots__ = ("_app", "_cycle")

    def __init__(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._cycle = cycle
        self._app = app
        take_streams(cycle.scope["state"])

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        cycle = self._cycle
        try:
            await self._app(scope, receive, send)
        except BaseException:
            if (stream := open_stream(scope)) is not None:
                stream.end()
            raise
        if (stream := open_stream(scope)) is None:
            return
        if cycle.disconnected or cycle.response_complete:
            stream.end()  # the client disconnected, or wanted only the headers
            return
        forget_request(cast("MutableMapping[str, object]", scope))
        cycle.flow.resume_reading()  # only reading shows a disconnect
        await stream.flush_stream(cast("Send", send))


def awaited(cycle: RequestResponseCycle | None, scope: HTTPScope | None) -> Part:
    """What a connection with this scope has yet to send; `cycle` is its last request."""
    if cycle is None or cycle.scope is not scope:
        return Part.HEAD  # the head is incomplete
    if cycle.more_body:
        return Part.BODY
    # After the answer, data that begins no request may be an endless series of empty lines.
    return Part.HEAD if cycle.response_complete else Part.NOTHING
