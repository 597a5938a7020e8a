"""Every position in the HTTP API that takes a value, from the OpenAPI document."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from pydantic import JsonValue

type Schema = Mapping[str, JsonValue]

JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"
# Sent to every operation, declared or not.
HEADERS: Final = (
    "Last-Event-ID", "Idempotency-Key", "If-Match", "If-None-Match", "If-Range", "Range", "X-Request-ID",
)  # fmt: skip
# Parameters that a careless endpoint might read in addition to the path.
STRAY: Final = "project_id"
_PARAMETER: Final = re.compile(r"\{(\w+)\}")
_DEEPEST: Final = 6


class Place(StrEnum):
    PATH = "path"
    QUERY = "query"
    HEADER = "header"
    BODY = "body"  # at a JSON pointer
    KEY = "key"  # the name of a member of the free-form object at a JSON pointer
    FORM = "form"
    FILE = "file"  # the bytes of an uploaded file
    FILE_NAME = "file name"


@dataclass(frozen=True, slots=True)
class Position:
    """`declared`: the operation itself declares that it reads a value there."""

    place: Place
    name: str
    schema: Schema = field(compare=False, default_factory=dict)
    declared: bool = field(compare=False, default=True)

    def __str__(self) -> str:
        return f"{self.place} {self.name}"


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """One method of one path. `body` is the resolved schema of `media_type`'s content."""

    id: str
    method: str
    path: str
    gated: bool
    query: Mapping[str, Schema]
    required_query: frozenset[str]
    media_type: str | None
    body: Schema
    positions: tuple[Position, ...]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def parameters(self) -> tuple[str, ...]:
        return tuple(_PARAMETER.findall(self.path))

    @property
    def in_project(self) -> bool:
        return "project_id" in self.parameters

    @property
    def reads(self) -> bool:
        return self.method in ("GET", "HEAD")

    def prefix(self, parameter: str) -> str:
        """The path up to and including a parameter: the resource that it identifies."""
        return self.path[: self.path.index("{" + parameter + "}") + len(parameter) + 2]


def read_surface(document: Schema) -> tuple[Operation, ...]:
    """Every operation of an OpenAPI document."""
    resolver = Resolver(document)
    paths = document["paths"]
    assert isinstance(paths, dict)
    return tuple(
        _operation(resolver, method.upper(), path, described)
        for path, methods in paths.items()
        if isinstance(methods, dict)
        for method, described in methods.items()
        if isinstance(described, dict)
    )


class Resolver:
    """Resolves references; of several alternatives it takes the first that is not null."""

    def __init__(self, document: Schema) -> None:
        components = document.get("components")
        schemas = components.get("schemas", {}) if isinstance(components, dict) else {}
        assert isinstance(schemas, dict)
        self._schemas = schemas

    def resolve(self, schema: JsonValue) -> Schema:
        found: JsonValue = schema
        while isinstance(found, dict):
            choices = found.get("anyOf") or found.get("oneOf") or found.get("allOf")
            if isinstance(reference := found.get("$ref"), str):
                found = self._schemas[reference.rpartition("/")[2]]
            elif isinstance(choices, list) and choices:
                found = next((each for each in choices if each != {"type": "null"}), choices[0])
            else:
                return found
        return {}

    def deep(self, schema: JsonValue, depth: int = _DEEPEST) -> Schema:
        """Resolves nested schemas, too."""
        found = dict(self.resolve(schema))
        if depth == 0:
            return found
        if isinstance(properties := found.get("properties"), dict):
            found["properties"] = {name: dict(self.deep(each, depth - 1)) for name, each in properties.items()}
        if "items" in found:
            found["items"] = dict(self.deep(found["items"], depth - 1))
        return found


def _operation(resolver: Resolver, method: str, path: str, described: Mapping[str, JsonValue]) -> Operation:
    declared = described.get("parameters", [])
    assert isinstance(declared, list)
    parameters = [each for each in declared if isinstance(each, dict)]
    media_type, body = _body(resolver, described.get("requestBody"))
    by_place = {
        place: {str(each["name"]): resolver.resolve(each.get("schema")) for each in parameters if each["in"] == place}
        for place in ("path", "query", "header")
    }
    positions = [Position(Place.PATH, name, by_place["path"].get(name, {})) for name in _PARAMETER.findall(path)]
    positions += _named(Place.QUERY, by_place["query"], (STRAY,))
    positions += _named(Place.HEADER, by_place["header"], HEADERS)
    positions += _body_positions(media_type, body)
    return Operation(
        id=str(described["operationId"]),
        method=method,
        path=path,
        gated=_is_gated(described.get("security")),
        query=by_place["query"],
        required_query=frozenset(
            str(each["name"]) for each in parameters if each["in"] == "query" and each.get("required")
        ),
        media_type=media_type,
        body=body,
        positions=tuple(positions),
    )


def _is_gated(security: JsonValue) -> bool:
    """Whether a bearer credential is the only one that is accepted: streams accept tickets, too."""
    return isinstance(security, list) and bool(security) and {"StreamTicket": []} not in security


def _named(place: Place, declared: Mapping[str, Schema], always: tuple[str, ...]) -> list[Position]:
    known = {name.lower() for name in declared}
    more = [name for name in always if name.lower() not in known]
    return [
        *(Position(place, name, schema) for name, schema in declared.items()),
        *(Position(place, name, declared=False) for name in more),
    ]


def _body(resolver: Resolver, body: JsonValue) -> tuple[str | None, Schema]:
    if not isinstance(body, dict) or not isinstance(content := body.get("content"), dict):
        return None, {}
    for media_type in (JSON, FORM, MULTIPART):
        if isinstance(described := content.get(media_type), dict):
            return media_type, resolver.deep(described.get("schema"))
    return next(iter(content)), {}


def _body_positions(media_type: str | None, body: Schema) -> Iterator[Position]:
    if media_type == JSON:
        yield from _pointers(body, "")
        yield Position(Place.BODY, f"/{STRAY}", declared=False)
        return
    properties = body.get("properties", {})
    assert isinstance(properties, dict)
    for name, schema in properties.items():
        assert isinstance(schema, dict)
        if is_file(schema):
            yield Position(Place.FILE, name, schema)
            yield Position(Place.FILE_NAME, name, schema)
        else:
            yield Position(Place.FORM, name, schema)
    if media_type is not None:
        yield Position(Place.FORM, STRAY, declared=False)


def is_file(schema: Schema) -> bool:
    return schema.get("contentMediaType") == "application/octet-stream" or schema.get("format") == "binary"


def _pointers(schema: Schema, pointer: str) -> Iterator[Position]:
    properties, items = schema.get("properties"), schema.get("items")
    if isinstance(properties, dict):
        for name, each in properties.items():
            assert isinstance(each, dict)
            yield from _pointers(each, f"{pointer}/{name}")
    elif isinstance(items, dict):
        yield from _pointers(items, f"{pointer}/0")
    elif schema.get("type") == "object" or not schema:
        yield Position(Place.BODY, f"{pointer}/attack")
        yield Position(Place.BODY, f"{pointer}/attack/0/deep")
        yield Position(Place.KEY, pointer)
    else:
        yield Position(Place.BODY, pointer, schema)


def vocabulary(document: Schema) -> frozenset[str]:
    """The member names in the document's schemas."""
    components = document.get("components")
    schemas = components.get("schemas", {}) if isinstance(components, dict) else {}
    assert isinstance(schemas, dict)
    return frozenset(
        name
        for schema in schemas.values()
        if isinstance(schema, dict) and isinstance(properties := schema.get("properties"), dict)
        for name in properties
    )
