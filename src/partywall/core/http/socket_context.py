from __future__ import annotations

import time
from collections.abc import Awaitable
from contextlib import suppress
from http import HTTPStatus
from typing import Final

import orjson
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from partywall.core.db.driver_errors import NoConnectionError
from partywall.core.http.access_log import AccessEntry, AccessLog, logged_path
from partywall.core.http.problems import failure, problem
from partywall.core.http.request_facts import begin_request, choose_request_id, request_id_of
from partywall.core.http.route_template import template_of

INTERNAL_ERROR: Final = 1011
TRY_AGAIN_LATER: Final = 1013
# The close code for an error's HTTP status after the handshake.
CLOSE_CODES: Final = {400: 4400, 401: 4401, 403: 4404, 404: 4404, 422: 4400, 429: 4429, 503: TRY_AGAIN_LATER}


class SocketContext:
    """The RequestContext of WebSockets: a request id, one access line, and an answer to every error.

    Before the handshake is accepted, errors are problem details; afterwards, a close with the problem's code as its
    reason.
    """

    def __init__(self, app: ASGIApp, access_log: AccessLog) -> None:
        self._app = app
        self._access_log = access_log

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "websocket":
            return self._app(scope, receive, send)
        return self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = choose_request_id(next((v for k, v in scope["headers"] if k == b"x-request-id"), None))
        scope.setdefault("state", {})["request_id"] = request_id
        begin_request(scope)
        socket = _Socket(scope, receive, send)
        started = time.perf_counter()
        try:
            await self._app(scope, socket.receive, socket.send)
        except Exception as error:  # noqa: BLE001 - any error is reported to the client and the log
            if not _has_gone(error):
                await socket.fail(error)
        finally:
            self._access_log(socket.entry(time.perf_counter() - started))


def _has_gone(error: Exception) -> bool:
    """Whether the client disconnected. Errors of database connections look the same."""
    return isinstance(error, WebSocketDisconnect | OSError) and not isinstance(error, NoConnectionError)


class _Socket:
    """Wraps one connection, and notes its status and close code."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._status: int | None = None
        self._close: int | None = None
        self._failed = 0

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "websocket.disconnect" and self._close is None:
            self._close = message.get("code")
        return message

    async def send(self, message: Message) -> None:
        kind, accepted = message["type"], self._status == HTTPStatus.SWITCHING_PROTOCOLS
        if kind == "websocket.close" and not accepted:
            await self._refuse()
        elif kind.startswith("websocket.http.response.") and accepted:
            await self._close_for(message)
        else:
            self._note(message)
            await self._send(message)

    def _note(self, message: Message) -> None:
        kind = message["type"]
        if kind == "websocket.accept":
            self._status = HTTPStatus.SWITCHING_PROTOCOLS
        elif kind == "websocket.http.response.start":
            self._status = message["status"]
        elif kind == "websocket.close":
            self._close = message["code"]
        if kind in ("websocket.accept", "websocket.http.response.start"):
            message["headers"] = [*message["headers"], (b"x-request-id", request_id_of(self._scope).encode())]

    async def _refuse(self) -> None:
        """The router closes without an answer if no route matches."""
        not_found = problem(HTTPConnection(self._scope), 404, "route_not_found", "Not Found", "Not Found")
        await not_found(self._scope, self._receive, self.send)

    async def _close_for(self, answer: Message) -> None:
        if answer["type"] == "websocket.http.response.start":
            self._failed = answer["status"]
        elif self._close is None:
            code = CLOSE_CODES.get(self._failed, INTERNAL_ERROR)
            await self.send({"type": "websocket.close", "code": code, "reason": orjson.loads(answer["body"])["code"]})

    async def fail(self, error: Exception) -> None:
        """Reports the error, if the client is still connected."""
        with suppress(OSError, RuntimeError):
            await failure(HTTPConnection(self._scope), error)(self._scope, self._receive, self.send)

    def entry(self, seconds: float) -> AccessEntry:
        state = self._scope["state"]
        return {
            "method": "WS",
            "path": logged_path(self._scope["path"]),
            "route": template_of(self._scope),
            "status": self._status,
            "close": self._close,
            "ms": round(seconds * 1000, 2),
            "principal": state.get("principal"),
            "project_id": self._scope.get("path_params", {}).get("project_id"),
            "request_id": state["request_id"],
        }
