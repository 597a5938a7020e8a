"""One message of the protocol and its answer. Loaded with the first message: the SDK is 20 MB and half a second."""

from __future__ import annotations

import sys

import anyio
from mcp.server.streamable_http import check_accept_headers
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from partywall.core.http.event_stream import mark_open_stream
from partywall.features.mcp.caller import Caller
from partywall.features.mcp.schemas import McpMessage
from partywall.features.mcp.service import server_for
from partywall.features.mcp.tools import BY_NAME


async def exchange(caller: Caller, message: McpMessage, request: Request) -> Response:
    return _Exchange(caller, message, await _body(message, request), streams=_may_stream(message, request))


async def _body(message: McpMessage, request: Request) -> bytes:
    """What the SDK reads: as it came, but for arguments that it could not read."""
    if message.unsendable_arguments is None:
        return await request.body()
    return message.model_dump_json(exclude_unset=True).encode()


class _Exchange(Response):
    """One message and its answer. A session of the SDK lives as long as that, and ends with the client."""

    media_type = "application/json"

    def __init__(self, caller: Caller, message: McpMessage, body: bytes, *, streams: bool) -> None:
        self.status_code = 200
        self.background = None
        self.raw_headers = []
        self._caller = caller
        self._arguments = message.unsendable_arguments
        self._given = body
        self._streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        manager = StreamableHTTPSessionManager(
            server_for(self._caller, self._arguments),
            json_response=not self._streams,
            stateless=True,
            max_request_body_size=sys.maxsize,  # the body is here already: the application's own limit has judged it
        )
        if self._streams:
            mark_open_stream(scope)
        unread, gone = [self._given], anyio.Event()

        async def replay() -> Message:
            if unread:
                return {"type": "http.request", "body": unread.pop(), "more_body": False}
            await gone.wait()
            return {"type": "http.disconnect"}

        async with anyio.create_task_group() as group:
            group.start_soon(_until_gone, receive, gone, group.cancel_scope)
            async with manager.run():
                await manager.handle_request(_accepting(scope), replay, send)
            group.cancel_scope.cancel()


def _accepting(scope: Scope) -> Scope:
    """Who does not say what it accepts takes anything (RFC 9110); the SDK reads that as nothing."""
    if any(name == b"accept" for name, _ in scope["headers"]):
        return scope
    return {**scope, "headers": [*scope["headers"], (b"accept", b"application/json")]}


async def _until_gone(receive: Receive, gone: anyio.Event, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    gone.set()
    scope.cancel()


def _may_stream(message: McpMessage, request: Request) -> bool:
    """Only what waits is worth a stream, and only for whoever reads one."""
    tool = BY_NAME.get(str(message.params.get("name"))) if message.method == "tools/call" else None
    _, reads_streams = check_accept_headers(request)
    return reads_streams and tool is not None and tool.waits
