from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from fastapi.routing import APIRoute, APIWebSocketRoute, RouteContext, iter_route_contexts

from partywall.core.feature import Feature
from partywall.extensions.problem import Problem


def route_problems(features: Sequence[Feature]) -> Iterator[Problem]:
    """Routes that no principal guards, and endpoints with the same name: public routes are known by name."""
    found = {feature.name: list(_routes(feature)) for feature in features}
    names = Counter(route.name for routes in found.values() for route in routes)
    for feature in features:
        for route in found[feature.name]:
            if not isinstance(route.original_route, APIRoute | APIWebSocketRoute):
                yield Problem(
                    feature.name, f"has the route {route.path} without a principal: add it with APIRouter.get or .post"
                )
            elif names[route.name] > 1:
                yield Problem(feature.name, f"has the endpoint {route.name}, a name that another route has: rename it")
        for name in sorted(feature.public_routes - {route.name for route in found[feature.name]}):
            yield Problem(feature.name, f"lists the public route {name}, which it does not have: remove it")


def _routes(feature: Feature) -> Iterator[RouteContext]:
    for router in (*feature.routers, *feature.socket_routers, *feature.root_routers):
        yield from iter_route_contexts(router.load().routes)
