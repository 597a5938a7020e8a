"""The paths of routes as declared, such as `/api/v1/projects/{project_id}`: a bounded set, for logs and metrics."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.types import Scope


def keep_templates(app: FastAPI) -> None:
    """Call it after all routes are added. A route itself knows its path only without the prefixes of its inclusion."""
    app.state.templates = {id(each.original_route): each.path_format for each in iter_route_contexts(app.routes)}


def template_of(scope: Scope) -> str | None:
    """None if no route matched the request."""
    route = scope.get("route")
    if route is None:
        return None
    template: str | None = scope["app"].state.templates.get(id(route))
    return template
