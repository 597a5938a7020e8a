from __future__ import annotations

from urllib.parse import unquote_to_bytes

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from partywall.core.http.problems import problem


class WellFormedQuery:
    """Refuses a query that is not UTF-8: decoding it would quietly ask for something else."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and b"%" in scope["query_string"]:
            try:
                unquote_to_bytes(scope["query_string"]).decode()
            except UnicodeDecodeError:
                answer = problem(
                    Request(scope), 400, "bad_request", "Bad request", "The query is not percent-encoded UTF-8."
                )
                await answer(scope, receive, send)
                return
        await self._app(scope, receive, send)
