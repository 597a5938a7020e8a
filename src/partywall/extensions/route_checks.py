from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from fastapi.routing import APIRoute, APIRouter, APIWebSocketRoute, RouteContext, iter_route_contexts

from partywall.core.feature import Feature
from partywall.core.http.fast_path.declaration import is_fast
from partywall.extensions.enabled import is_installed
from partywall.extensions.path_checks import path_problems
from partywall.extensions.problem import Problem

type FoundRoute = tuple[RouteContext, type[APIRoute | APIWebSocketRoute]]


def route_problems(features: Sequence[Feature]) -> Iterator[Problem]:
    """Routes that no principal guards, and endpoints or paths that two have: public routes are known by name."""
    if wrong := [Problem(feature.name, text) for feature in features for text in _wrong_routers(feature)]:
        yield from wrong
        return
    yield from path_problems(features)
    found = {feature.name: list(_routes(feature)) for feature in features}
    names = Counter(route.name for routes in found.values() for route, _ in routes)
    for feature in features:
        own = found[feature.name]
        if is_installed(feature) and (feature.socket_routers or any(is_fast(route.endpoint) for route, _ in own)):
            yield Problem(
                feature.name, "has WebSockets or fast routes, which authenticate by themselves: serve others only"
            )
        for route, kind in own:
            if (why := _unguarded(route.original_route, kind, is_installed(feature))) is not None:
                yield Problem(feature.name, f"has the route {route.path} {why}")
            elif names[route.name] > 1:
                yield Problem(feature.name, f"has the endpoint {route.name}, a name that another route has: rename it")
        if is_installed(feature):
            yield from (Problem(feature.name, text) for text in _open_projects(feature, own))
        for name in sorted(feature.public_routes - {route.name for route, _ in own}):
            yield Problem(feature.name, f"lists the public route {name}, which it does not have: remove it")


def _open_projects(feature: Feature, routes: list[FoundRoute]) -> Iterator[str]:
    for route, _ in routes:
        if route.name in feature.public_routes and "{project_id}" in str(route.path_format):
            yield f"opens a project with the public route {route.name}: remove it from public_routes"


def _unguarded(route: object, kind: type[APIRoute | APIWebSocketRoute], installed: bool) -> str | None:
    """Why a route may serve without its router's dependencies, of which `require_principal` is one."""
    if not isinstance(route, kind):
        return "without a principal: add it with get, post, put, patch or delete"
    if installed and type(route) is not kind:
        return f"of the class {type(route).__name__}, which may skip authentication: leave out route_class"
    return None


def _wrong_routers(feature: Feature) -> Iterator[str]:
    for router in (*feature.routers, *feature.root_routers, *feature.socket_routers):
        kind: type[object] = type(router.load())
        if not issubclass(kind, APIRouter):
            yield f"names {router.target}, which is no APIRouter: correct the name"
        elif kind is not APIRouter and is_installed(feature):
            yield f"names {router.target} of the class {kind.__name__}, which may skip authentication: use APIRouter"


def _routes(feature: Feature) -> Iterator[FoundRoute]:
    """Each route, and the type that the authentication of its router expects."""
    for router in (*feature.routers, *feature.root_routers):
        yield from ((route, APIRoute) for route in iter_route_contexts(router.load().routes))
    for router in feature.socket_routers:
        yield from ((route, APIWebSocketRoute) for route in iter_route_contexts(router.load().routes))
