"""The suite attacks the positions that it reads from the document, so none may be missing."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from pydantic import JsonValue

from partywall.testing.isolation.bodies import Fields, Filler
from partywall.testing.isolation.client import Call
from partywall.testing.isolation.surface import HEADERS, Operation, Place, Position, read_surface

NOTE: JsonValue = {
    "type": "object",
    "required": ["title"],
    "properties": {
        "title": {"type": "string", "maxLength": 5},
        "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Part"}},
        "metadata": {"type": "object", "additionalProperties": True},
    },
}
PART: JsonValue = {"type": "object", "properties": {"document_id": {"type": "string", "format": "uuid"}}}
DOCUMENT: dict[str, JsonValue] = {
    "paths": {
        "/projects/{project_id}/notes": {
            "post": {
                "operationId": "create_note",
                "security": [{}],
                "parameters": [
                    {"in": "path", "name": "project_id", "schema": {"type": "string", "format": "uuid"}},
                    {"in": "query", "name": "after", "required": True, "schema": {"type": "integer"}},
                    {"in": "header", "name": "if-match", "schema": {"type": "string"}},
                ],
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Note"}}}},
            }
        }
    },
    "components": {"schemas": {"Note": NOTE, "Part": PART}},
}


def test_every_place_of_an_operation_is_a_position() -> None:
    [operation] = read_surface(DOCUMENT)
    assert (operation.gated, operation.in_project) == (True, True)
    assert operation.required_query == {"after"}
    found = {str(each) for each in operation.positions}
    assert found == {
        "path project_id", "query after", "query project_id", "header if-match",
        *(f"header {name}" for name in HEADERS if name != "If-Match"),
        "body /title", "body /parts/0/document_id", "body /metadata/attack", "body /metadata/attack/0/deep",
        "key /metadata", "body /project_id",
    }  # fmt: skip


def test_a_value_stands_where_the_position_says() -> None:
    [operation] = read_surface(DOCUMENT)
    call = Call(operation, path={"project_id": "p"}, body={"title": "T", "parts": [{"document_id": "mine", "x": 1}]})
    deep = call.with_value(Position(Place.BODY, "/parts/0/document_id"), "theirs")
    assert deep.body == {"title": "T", "parts": [{"document_id": "theirs", "x": 1}]}
    assert call.body == {"title": "T", "parts": [{"document_id": "mine", "x": 1}]}
    assert call.with_value(Position(Place.KEY, "/metadata"), "k").body == {
        "title": "T", "parts": [{"document_id": "mine", "x": 1}], "metadata": {"k": "a value"},
    }  # fmt: skip
    walked = call.with_value(Position(Place.PATH, "project_id"), "a/../b").with_value(
        Position(Place.QUERY, "after"), ["1", "2"]
    )
    assert walked.url() == ("/projects/a%2F..%2Fb/notes", "after=1&after=2")


def test_a_body_is_well_formed() -> None:
    [operation] = read_surface(DOCUMENT)
    filler = Filler(lambda: "marked text", {"document_id": "known"})
    assert filler.object(operation.body, Fields.REQUIRED) == {"title": "marke"}
    assert filler.object(operation.body, Fields.ALL) == {
        "title": "marke", "parts": [{"document_id": "known"}], "metadata": {"note": "marked text"},
    }  # fmt: skip


def test_nothing_that_the_application_declares_is_overlooked(attacked_app: FastAPI) -> None:
    operations = read_surface(attacked_app.openapi())
    declared = attacked_app.openapi()["paths"]
    assert {each.id for each in operations} == {o["operationId"] for path in declared.values() for o in path.values()}
    for operation in operations:
        described = declared[operation.path][operation.method.lower()]
        names = {f"{each['in']} {each['name']}" for each in described.get("parameters", ())}
        assert names <= {str(each) for each in operation.positions}, operation
        assert _has_a_position_in_its_body(operation) == ("requestBody" in described), operation


# They return the document itself, and no user data.
PAGES = {"/openapi.json", "/docs", "/docs/assets"}
# OpenAPI does not cover WebSockets; test_beyond_routes_websockets.py attacks them.
SOCKETS = {"ANY /api/v1/projects/{project_id}/ws"}


def test_no_route_hides_from_the_document(attacked_app: FastAPI) -> None:
    declared = {str(each) for each in read_surface(attacked_app.openapi())}
    served = {
        f"{method} {route.path_format}"
        for route in iter_route_contexts(attacked_app.routes)
        if route.path not in PAGES
        for method in (route.methods or {"ANY"}) - {"HEAD"}
    }
    assert served == declared | SOCKETS


def _has_a_position_in_its_body(operation: Operation) -> bool:
    return any(each.place not in (Place.PATH, Place.QUERY, Place.HEADER) for each in operation.positions)
