from __future__ import annotations

from collections.abc import Awaitable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from partywall.core.http.request_facts import begin_request


class HeadAsGet:
    """Answers HEAD with the route of GET, without the body (RFC 9110, 9.3.2).

    The answer ends with its headers; a route that still streams sees this as a disconnected client.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            return self._app(scope, receive, send)
        return self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        # The server must still see HEAD: it would expect the body that the headers announce. A range is for GET only.
        headers = [header for header in scope["headers"] if header[0] != b"range"]
        as_get = {**scope, "method": "GET", "headers": headers}
        begin_request(as_get)
        try:
            await self._app(as_get, receive, send_headers)
        finally:
            scope["path_params"], scope["route"] = as_get.get("path_params", {}), as_get.get("route")  # to be logged
