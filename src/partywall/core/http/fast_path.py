"""The fast path serves ordinary requests to a few endpoints before FastAPI's general routing.

A `FastPathRoute` is a normal route that FastAPI documents, authenticates and validates. The fast path runs before the
router and serves only valid requests with a recently verified bearer token, ids in canonical form, a JSON body of
declared length and no Idempotency-Key. It passes all others to the router, so each endpoint, its parameters and its
errors are defined once.
"""

from __future__ import annotations

from collections.abc import Sequence

from fastapi.routing import iter_route_contexts
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from partywall.core.http.address_limiter import AddressBusyError, request_slot_of
from partywall.core.http.body_limits import ORDINARY_BYTES
from partywall.core.http.dependencies import bearer_token, remember_principal
from partywall.core.http.fast_path_plan import Caller, FastPathPlan, RawHeaders
from partywall.core.http.json_body import JsonRoute
from partywall.core.http.problems import KNOWN_ERRORS, problem_for, problem_of
from partywall.core.http.replayed_body import is_plain, read_whole, replayed
from partywall.core.resources import Resources


class FastPathRoute(JsonRoute):
    """The `route_class` of routers whose endpoints return a `Response`."""


def fast_path_plans(routes: Sequence[BaseRoute]) -> tuple[FastPathPlan, ...]:
    """Raises TypeError for a `FastPathRoute` that the fast path cannot serve."""
    return tuple(
        FastPathPlan.of(each) for each in iter_route_contexts(routes) if isinstance(each.original_route, FastPathRoute)
    )


class FastPath:
    """Runs after the middleware for all answers and before that for bodies: the bodies it reads are short."""

    def __init__(self, app: ASGIApp, plans: Sequence[FastPathPlan]) -> None:
        self._app = app
        self._plans = plans

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._find(scope) if scope["type"] == "http" else None
        if found is None:
            await self._app(scope, receive, send)
            return
        plan, path = found
        headers = dict(reversed(scope["headers"]))  # the first of repeated headers counts, as in the router
        caller = _caller(scope, headers)
        body: bytes | None = b""
        if caller is not None and plan.body is not None:
            plain = is_plain(headers, b"application/json", ORDINARY_BYTES)
            try:
                body = await read_whole(receive, request_slot_of(scope["state"])) if plain else None
            except AddressBusyError as error:
                await problem_of(caller.request, error)(scope, receive, send)
                return
            receive = receive if body is None else replayed(body, receive)
        values = None if caller is None or body is None else plan.parameters(path, scope["query_string"], headers, body)
        if caller is None or values is None:
            await self._app(scope, receive, send)
            return
        scope["path_params"] = path
        answer = await _answer(plan, caller, values)
        await answer(scope, receive, send)

    def _find(self, scope: Scope) -> tuple[FastPathPlan, dict[str, str]] | None:
        for plan in self._plans:
            if plan.method == scope["method"] and (match := plan.path.fullmatch(scope["path"])) is not None:
                return plan, match.groupdict()
        return None


def _caller(scope: Scope, headers: RawHeaders) -> Caller | None:
    """The caller, if its token was verified recently."""
    resources: Resources = scope["app"].state.resources
    if b"transfer-encoding" in headers:
        return None
    token = bearer_token(headers.get(b"authorization", b"").decode("latin-1"))
    principal = resources.authenticator.cached(token) if token else None
    return None if principal is None else Caller(resources, principal, scope)


async def _answer(plan: FastPathPlan, caller: Caller, values: dict[str, object]) -> Response:
    remember_principal(caller.scope, caller.principal)
    for name, provide in plan.given:
        values[name] = await provide(caller)
    if plan.request is not None:
        values[plan.request] = caller.request
    try:
        return await plan.endpoint(**values)
    except KNOWN_ERRORS as error:
        return problem_for(caller.request, error)
