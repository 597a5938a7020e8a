from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import JsonValue

from partywall.core.feature import Tag
from partywall.core.http.problems import MEDIA_TYPE
from partywall.core.http.schemas import Problem

_ERRORS = {
    "401": "No valid credential",
    "422": "The request is not valid",
    "default": "Any other failure, as problem details",
}
_DESCRIPTION: Final = "Documents, search, agents and live events of isolated projects."
# The API's terms; the software's licence concerns only operators.
_LICENSE: Final = {"name": "The terms of this server's operator", "identifier": "LicenseRef-Operator"}
# Descriptions of parameters that many routes share.
_PARAMETERS: Final = {
    "limit": "How many items at most.",
    "cursor": "The `next_cursor` of the previous page.",
    "offset": "How many items to skip; not together with a cursor.",
    "sort": "The sort order; a leading `-` means descending.",
    "status": "Only items in this state.",
    "number": "The number of the version.",
}

# The schemes of `require_principal`. A public route with another scheme authenticates its callers itself.
_PRINCIPAL_SCHEMES: Final = frozenset({"HTTPBearer", "OAuth2PasswordBearer"})


# URLs of a security scheme, in OpenAPI's names.
_URLS: Final = frozenset({"tokenUrl", "refreshUrl", "authorizationUrl"})


def operation_id(route: APIRoute) -> str:
    """The endpoint function's name, which is unique and becomes the method name in generated clients."""
    return route.name


def describe(app: FastAPI, tags: Sequence[Tag], server: str) -> None:
    """Documents for each operation that failures are problem details, and who may call it.

    `server` is the base URL of the paths.
    """

    def openapi() -> dict[str, JsonValue]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app, tags, server)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # the hook FastAPI documents


def document_below(document: Mapping[str, JsonValue], sub_path: str) -> Mapping[str, JsonValue]:
    """The document for an API below a sub-path: sets its server and token URLs."""
    if not sub_path:
        return document
    components = document["components"]
    assert isinstance(components, dict)
    schemes = _urls_below(components["securitySchemes"], sub_path)
    servers: list[JsonValue] = [{"url": sub_path}]
    return {**document, "servers": servers, "components": {**components, "securitySchemes": schemes}}


def _urls_below(part: JsonValue, sub_path: str) -> JsonValue:
    if isinstance(part, dict):
        return {
            name: sub_path + value if name in _URLS and isinstance(value, str) else _urls_below(value, sub_path)
            for name, value in part.items()
        }
    return part


def _document(app: FastAPI, tags: Sequence[Tag], server: str) -> dict[str, JsonValue]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        description=_DESCRIPTION,
        license_info=_LICENSE,
        routes=app.routes,
        servers=[{"url": server}],
        tags=[{"name": tag.name, "description": tag.description} for tag in _ordered(tags)],
    )
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
                parameter.setdefault("description", _described(parameter["name"]))
            if operation["operationId"] in app.state.public:
                operation["security"] = _own_schemes(operation.get("security", []))
            _refusals(operation["responses"], public=not operation.get("security"))
    return document


def _ordered(tags: Iterable[Tag]) -> list[Tag]:
    ordered: list[Tag] = []
    for tag in tags:
        names = [each.name for each in ordered]
        ordered.insert(names.index(tag.after) + 1 if tag.after in names else len(ordered), tag)
    return ordered


def _own_schemes(schemes: list[dict[str, list[str]]]) -> list[dict[str, list[str]]]:
    """No schemes for a public operation; all of them if it also takes a credential of another kind."""
    return schemes if any(_PRINCIPAL_SCHEMES.isdisjoint(scheme) for scheme in schemes) else []


def _refusals(responses: dict[str, dict[str, JsonValue]], *, public: bool) -> None:
    for status, description in _ERRORS.items():
        if public and status == "401":
            continue
        entry = responses.setdefault(status, {"description": description})
        if status == "422":
            entry["content"] = {}
    for status, entry in responses.items():
        content = entry.setdefault("content", {}) if status[0] in "45d" else None
        if isinstance(content, dict):  # even if the route has another format: errors before the route have this one
            content[MEDIA_TYPE] = {"schema": {"$ref": "#/components/schemas/Problem"}}


def _described(parameter: str) -> str:
    """The default description: of an id, or a shared parameter."""
    thing = parameter.removesuffix("_id").replace("_", " ")
    return f"The id of the {thing}." if parameter.endswith("_id") else _PARAMETERS.get(parameter, "")


def _absent_is_not_null(parameter: dict[str, JsonValue]) -> None:
    """Removes null from a parameter's schema: in a URL or header, a value that is not given is absent."""
    schema = parameter.get("schema")
    if not isinstance(schema, dict) or not isinstance(choices := schema.get("anyOf"), list):
        return
    left = [each for each in choices if each != {"type": "null"}]
    if len(left) == 1 and isinstance(left[0], dict):
        del schema["anyOf"]
        schema.update(left[0])
    else:
        schema["anyOf"] = left
