from __future__ import annotations

from collections.abc import Iterable

from fastapi import FastAPI, Request

type RouteName = str


def set_public(app: FastAPI, names: Iterable[RouteName]) -> None:
    """Sets the routes that need no credential, by the name of their endpoint function."""
    app.state.public = frozenset(names)


def is_public(request: Request) -> bool:
    route = request.scope.get("route")
    return route is not None and getattr(route, "name", None) in request.app.state.public
