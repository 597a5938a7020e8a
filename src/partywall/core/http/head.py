from __future__ import annotations

from collections.abc import Awaitable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from partywall.core.http.current_request import begin_request


class HeadAsGet:
    """HEAD is answered by the route of GET, whose body stays here (RFC 9110, 9.3.2).

    The answer ends with its headers: whoever still streams learns, as from a client that has left, that nobody reads.
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

        # The server is to go on seeing HEAD: it would miss the body that the headers announce.
        as_get = {**scope, "method": "GET"}
        begin_request(as_get)
        try:
            await self._app(as_get, receive, send_headers)
        finally:
            scope["path_params"] = as_get.get("path_params", {})  # for the access line
