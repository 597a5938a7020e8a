"""Handles one MCP message. Imported with the first message, because the SDK takes 20 MB and half a second."""

from __future__ import annotations

import sys
from typing import Final

import anyio
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp_types import UNSUPPORTED_PROTOCOL_VERSION
from mcp_types.version import KNOWN_PROTOCOL_VERSIONS
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Message as AsgiMessage
from starlette.types import Receive, Scope, Send

from partywall.core.http.event_answer import EventAnswer
from partywall.core.http.event_stream import mark_open_stream
from partywall.core.schemas import JsonObject
from partywall.features.mcp.accept import AcceptedTypes
from partywall.features.mcp.caller import Caller
from partywall.features.mcp.messages import INVALID_REQUEST, Message, MessageError, read_message
from partywall.features.mcp.service import server_for
from partywall.features.mcp.tools import BY_NAME

_VERSION: Final = "mcp-protocol-version"
_SDK_HEADERS: Final = (
    (b"accept", b"application/json, text/event-stream"),
    (b"content-type", b"application/json"),
)


async def exchange(caller: Caller, request: Request) -> Response:
    accepted = AcceptedTypes.of(request.headers.getlist("accept"))
    try:
        message = read_message(await request.body())
        _require_known_version(message, request)
    except MessageError as error:
        return JSONResponse(error.body, 400)
    if not accepted.json and not accepted.stream:
        said = "Not Acceptable: answers are application/json or text/event-stream"
        return JSONResponse(MessageError(INVALID_REQUEST, said, message.id).body, 406)
    return _Exchange(caller, message, accepted)


def _require_known_version(message: Message, request: Request) -> None:
    """Raises MessageError. `initialize` negotiates the version in its body, so its header is not checked."""
    version = request.headers.get(_VERSION)
    if version and version not in KNOWN_PROTOCOL_VERSIONS and message.method != "initialize":
        data: JsonObject = {"supported": list(KNOWN_PROTOCOL_VERSIONS), "requested": version[:100]}
        raise MessageError(UNSUPPORTED_PROTOCOL_VERSION, "Unsupported protocol version", message.id, data)


class _Exchange(Response):
    """Answers one message in an SDK session of its own, which ends with the answer or when the client disconnects."""

    media_type = "application/json"

    def __init__(self, caller: Caller, message: Message, accepted: AcceptedTypes) -> None:
        self.status_code = 200
        self.background = None
        self.raw_headers = []
        self._caller = caller
        self._message = message
        self._streams = accepted.asked and _waits(message)
        self._reads_json = accepted.json

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        manager = StreamableHTTPSessionManager(
            server_for(self._caller, self._message.arguments),
            json_response=not self._streams,
            stateless=True,
            max_request_body_size=sys.maxsize,  # the application has already limited the body
        )
        if _waits(self._message):
            mark_open_stream(scope)
        unread, gone = [self._message.to_json()], anyio.Event()

        async def replay() -> AsgiMessage:
            if unread:
                return {"type": "http.request", "body": unread.pop(), "more_body": False}
            await gone.wait()
            return {"type": "http.disconnect"}

        answer = send if self._reads_json else EventAnswer(send)
        async with anyio.create_task_group() as group:
            group.start_soon(_until_gone, receive, gone, group.cancel_scope)
            async with manager.run():
                await manager.handle_request(_sdk_scope(scope), replay, answer)
            group.cancel_scope.cancel()


def _sdk_scope(scope: Scope) -> Scope:
    """The scope with the headers that were checked here, in the form that the SDK expects."""
    known = [version.encode() for version in KNOWN_PROTOCOL_VERSIONS]
    replaced = {name for name, _ in _SDK_HEADERS}
    kept = [
        (name, value)
        for name, value in scope["headers"]
        if name not in replaced and (name != _VERSION.encode() or value in known)
    ]
    return {**scope, "headers": [*kept, *_SDK_HEADERS]}


async def _until_gone(receive: Receive, gone: anyio.Event, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    gone.set()
    scope.cancel()


def _waits(message: Message) -> bool:
    """Whether the message calls a tool that waits; only such calls are answered with a stream."""
    tool = BY_NAME.get(str(message.params.get("name"))) if message.method == "tools/call" else None
    return tool is not None and tool.waits
