from __future__ import annotations

from typing import Final
from urllib.parse import unquote_to_bytes

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from partywall.core.http.problems import problem

# No route knows half as many; a thousand names of nothing take milliseconds of everybody's to tell apart.
MOST_PARAMETERS: Final = 100


class WellFormedQuery:
    """Refuses a query that is not UTF-8, for decoding it would quietly ask for something else, and one of too much."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        wrong = complaint(scope["query_string"]) if scope["type"] == "http" and scope["query_string"] else None
        if wrong is not None:
            answer = problem(Request(scope), 400, "bad_request", "Bad request", wrong)
            await answer(scope, receive, send)
            return
        await self._app(scope, receive, send)


def complaint(query: bytes) -> str | None:
    """What is wrong with a query, if anything."""
    if query.count(b"&") >= MOST_PARAMETERS:
        return f"A query has at most {MOST_PARAMETERS} parameters."
    if b"%" in query:
        try:
            unquote_to_bytes(query).decode()
        except UnicodeDecodeError:
            return "The query is not percent-encoded UTF-8."
    return None
