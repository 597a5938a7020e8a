"""The fast path serves ordinary requests to a few routes before FastAPI's general routing.

Such a route is a normal route that FastAPI documents, authenticates and validates. The fast path runs before the router
and serves only valid requests with a body of declared length, no Idempotency-Key and, unless the route is public, a
recently verified bearer token. It passes all others to the router.
"""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from partywall.core.http.address_limiter import AddressBusyError, request_slot_of
from partywall.core.http.fast_path.plan import Plan, Work
from partywall.core.http.problems import KNOWN_ERRORS, problem_for, problem_of
from partywall.core.http.replayed_body import is_plain, read_whole, replayed


class FastPath:
    """Runs after the middleware for all answers and before that for bodies: the bodies it reads are short."""

    def __init__(self, app: ASGIApp, plans: Sequence[Plan]) -> None:
        self._app = app
        self._plans = tuple((each.target.method, each.target.path.fullmatch, each) for each in plans)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._find(scope) if scope["type"] == "http" else None
        if found is None:
            await self._app(scope, receive, send)
            return
        plan, path = found
        headers = dict(reversed(scope["headers"]))  # the first of repeated headers counts, as in the router
        begun = None if plan.body and not is_plain(headers, *plan.body) else plan.begin(scope, path, headers)
        if begun is None:
            await self._app(scope, receive, send)
            return
        body: bytes | None = b""
        if plan.body:
            try:
                body = await read_whole(receive, request_slot_of(scope["state"]))
            except AddressBusyError as error:
                await problem_of(Request(scope), error)(scope, receive, send)
                return
            receive = receive if body is None else replayed(body, receive)
        work = None if body is None else begun(body)
        if work is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = plan.target.route
        scope["path_params"] = path
        answer = await _answer(scope, work)
        await answer(scope, receive, send)

    def _find(self, scope: Scope) -> tuple[Plan, dict[str, str]] | None:
        method, path = scope["method"], scope["path"]
        for own, matches, plan in self._plans:
            if own == method and (match := matches(path)) is not None:
                return plan, match.groupdict()
        return None


async def _answer(scope: Scope, work: Work) -> Response:
    try:
        return await work()
    except KNOWN_ERRORS as error:
        return problem_for(Request(scope), error)
