from __future__ import annotations

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import JsonValue

from partywall.core.http.problems import MEDIA_TYPE, Problem

_REFUSALS = {
    "401": "No valid credential",
    "422": "The request is not valid",
    "default": "Any other failure, as problem details",
}


def operation_id(route: APIRoute) -> str:
    """The endpoint function's own name, which is unique among ours and is what generated clients are to call it."""
    return route.name


def describe(app: FastAPI) -> None:
    """Every operation documents problem details as the shape of its failures."""

    def openapi() -> dict[str, JsonValue]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # the hook FastAPI documents


def _document(app: FastAPI) -> dict[str, JsonValue]:
    document = get_openapi(title=app.title, version=app.version, routes=app.routes)
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(problem.pop("$defs", {}))
    schemas["Problem"] = problem
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for path in document["paths"].values():
        for operation in path.values():
            for parameter in operation.get("parameters", ()):
                _absent_is_not_null(parameter)
            if operation["operationId"] in app.state.public:
                operation.pop("security", None)
            _refusals(operation["responses"], public="security" not in operation)
    return document


def _refusals(responses: dict[str, dict[str, JsonValue]], *, public: bool) -> None:
    for status, description in _REFUSALS.items():
        if public and status == "401":
            continue
        entry = responses.setdefault(status, {"description": description})
        if status == "422" or "content" not in entry:
            entry["content"] = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}


def _absent_is_not_null(parameter: dict[str, JsonValue]) -> None:
    """A parameter in a URL or header that is not given is absent; there is no way to send null there."""
    schema = parameter.get("schema")
    if not isinstance(schema, dict) or not isinstance(choices := schema.get("anyOf"), list):
        return
    left = [each for each in choices if each != {"type": "null"}]
    if len(left) == 1 and isinstance(left[0], dict):
        del schema["anyOf"]
        schema.update(left[0])
    else:
        schema["anyOf"] = left
