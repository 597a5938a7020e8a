"""Paths of routes: of two routes of different features, a request may reach one only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Final, NamedTuple

from fastapi.routing import iter_route_contexts
from starlette.routing import compile_path

from partywall.core.feature import Feature
from partywall.core.http.docs import PATHS
from partywall.extensions.enabled import is_installed
from partywall.extensions.problem import Problem

VERSION: Final = "/api/v1"
# Fits parameters of every kind that routes use.
_VALUE: Final = "00000000-0000-0000-0000-000000000000"


class Served(NamedTuple):
    feature: Feature | None
    method: str
    path: str

    def hides(self, later: Served) -> bool:
        """Whether it gets the other's requests: a parameter matches parameters and texts."""
        if self.method != later.method:
            return False
        pattern, *_ = compile_path(self.path)
        _, path, parameters = compile_path(later.path)
        return pattern.match(path.format_map(dict.fromkeys(parameters, _VALUE))) is not None


def path_problems(features: Sequence[Feature]) -> Iterator[Problem]:
    """Routes of installed features that never get a request, or that take those for others."""
    for earlier, later in combinations(served(features), 2):
        if earlier.feature is later.feature:
            continue
        for mine, other in ((later, earlier), (earlier, later)):
            if mine.feature is not None and is_installed(mine.feature) and earlier.hides(later):
                owner = "Partywall" if other.feature is None else other.feature.name
                text = f"has the route {mine.method} {mine.path}, but the path is taken by {owner}: choose another path"
                yield Problem(mine.feature.name, text)
                break


def served(features: Sequence[Feature]) -> Iterator[Served]:
    """All routes in the order in which the application looks for them."""
    for feature in features:
        yield from _served(feature, VERSION)
    for feature in features:
        yield from _served(feature, "")
    yield from (Served(None, "GET", path) for path in PATHS)


def _served(feature: Feature, prefix: str) -> Iterator[Served]:
    for router in feature.routers if prefix else feature.root_routers:
        for route in iter_route_contexts(router.load().routes):
            yield from (Served(feature, method, f"{prefix}{route.path}") for method in sorted(route.methods or ()))
