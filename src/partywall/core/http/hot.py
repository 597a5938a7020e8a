"""The hot lane: ordinary reads, served before the general machinery of routing and dependencies.

A `HotRoute` is a route like any other, documented, gated, validated and refused by FastAPI. The lane stands before the
router and serves what is ordinary itself: a GET with a bearer token that was verified a moment ago and parameters that
parse. Everything else, and every refusal, it leaves to the router, so there is one definition of an endpoint and of its
errors.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast
from urllib.parse import parse_qsl
from uuid import UUID

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from pydantic import BaseModel
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from partywall.core.db.scoped_read import ScopedReader
from partywall.core.errors import PartywallError
from partywall.core.http.dependencies import bearer_token, gate, get_resources, get_scoped_reader, remember_principal
from partywall.core.resources import Resources

type Endpoint = Callable[..., Awaitable[Response]]
type Provider = Callable[[Resources], Awaitable[object]]
type RawHeaders = Mapping[bytes, bytes]

_UUID: Final = "[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"


class HotRoute(APIRoute):
    """Used as `route_class` of a router whose endpoints are reads that answer with a `Response` of their own."""


@dataclass(frozen=True, slots=True)
class HotPlan:
    """How to call one endpoint: UUID path parameters, a scoped reader, what resources give, one query, headers."""

    endpoint: Endpoint
    path: re.Pattern[str]
    reader: str
    given: tuple[tuple[str, Provider], ...]
    query: tuple[str, type[BaseModel], BaseModel] | None
    headers: tuple[tuple[str, bytes], ...]

    @classmethod
    def of(cls, route: RouteContext) -> HotPlan:
        """Reads FastAPI's own analysis of the signature; raises TypeError at start for one it cannot serve."""
        dependant: Dependant = route.dependant
        readers = [str(each.name) for each in dependant.dependencies if each.call is get_scoped_reader]
        others = [each for each in dependant.dependencies if each.call not in (gate, get_scoped_reader)]
        uuids = all(field.field_info.annotation is UUID for field in dependant.path_params)
        models = dependant.query_params
        if len(readers) != 1 or not all(map(_needs_resources_alone, others)) or not uuids or len(models) > 1:
            raise TypeError(f"{dependant.call!r} is not fit for the hot lane")
        return cls(
            endpoint=cast("Endpoint", dependant.call),
            path=_pattern(route.path_format or ""),
            reader=readers[0],
            given=tuple((str(each.name), cast("Provider", each.call)) for each in others),
            query=_query_model(models[0].name, models[0].field_info.annotation) if models else None,
            headers=tuple((field.name, field.alias.lower().encode()) for field in dependant.header_params),
        )

    def parameters(self, path: Mapping[str, str], query: bytes, headers: RawHeaders) -> dict[str, object] | None:
        """What the request says, or None where the router must look closer."""
        found: dict[str, object] = {name: UUID(value) for name, value in path.items()}
        if self.query is not None:
            name, model, defaults = self.query
            try:
                found[name] = (
                    model.model_validate(dict(parse_qsl(query.decode("latin-1"), True))) if query else defaults
                )
            except ValueError:
                return None
        for name, header in self.headers:
            value = headers.get(header)
            found[name] = None if value is None else value.decode("latin-1")
        return found


def _needs_resources_alone(dependant: Dependant) -> bool:
    own = [*dependant.path_params, *dependant.query_params, *dependant.header_params, *dependant.cookie_params]
    return not own and [each.call for each in dependant.dependencies] == [get_resources]


def _pattern(path: str) -> re.Pattern[str]:
    """`/projects/{project_id}` for UUIDs as we write them; other spellings are the router's."""
    parts = re.split(r"\{(\w+)\}", path)
    return re.compile("".join(f"(?P<{part}>{_UUID})" if odd else re.escape(part) for odd, part in _odd(parts)))


def _odd(parts: Sequence[str]) -> Iterator[tuple[bool, str]]:
    return ((number % 2 == 1, part) for number, part in enumerate(parts))


def _query_model(name: str, model: object) -> tuple[str, type[BaseModel], BaseModel]:
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise TypeError(f"the hot lane takes one query model, not {name}: {model!r}")
    return name, model, model()


def hot_plans(routes: Sequence[BaseRoute]) -> tuple[HotPlan, ...]:
    return tuple(HotPlan.of(each) for each in iter_route_contexts(routes) if isinstance(each.original_route, HotRoute))


class HotLane:
    """Stands directly before the router, so that whatever holds for every answer holds for these."""

    def __init__(self, app: ASGIApp, plans: Sequence[HotPlan]) -> None:
        self._app = app
        self._plans = plans

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await self._answer(scope) if scope["type"] == "http" and scope["method"] == "GET" else None
        await (answer or self._app)(scope, receive, send)

    async def _answer(self, scope: Scope) -> Response | None:
        for plan in self._plans:
            if (match := plan.path.fullmatch(scope["path"])) is not None:
                return await _serve(plan, match.groupdict(), scope)
        return None


async def _serve(plan: HotPlan, path: dict[str, str], scope: Scope) -> Response | None:
    headers = dict(reversed(scope["headers"]))  # of a repeated header the first counts, as for the router
    resources: Resources = scope["app"].state.resources
    token = bearer_token(headers.get(b"authorization", b"").decode("latin-1"))
    principal = resources.authenticator.cached(token) if token else None
    if principal is None:
        return None
    arguments = plan.parameters(path, scope["query_string"], headers)
    if arguments is None:
        return None
    remember_principal(scope, principal)
    scope["path_params"] = path
    arguments[plan.reader] = ScopedReader(resources.reads, principal)
    for name, provide in plan.given:
        arguments[name] = await provide(resources)
    try:
        return await plan.endpoint(**arguments)
    except PartywallError:
        return None
