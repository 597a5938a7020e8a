from __future__ import annotations

from collections.abc import Iterator

from fastapi import FastAPI
from pydantic import JsonValue

from partywall.features.mcp.tools import DESCRIBED

STREAMS = {"stream_events", "stream_run_events"}


def test_every_operation_says_who_may_call_it(app: FastAPI) -> None:
    document = app.openapi()
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    assert all("security" in operation for operation in operations)
    with_ticket = {each["operationId"] for each in operations if {"StreamTicket": []} in each["security"]}
    assert with_ticket == STREAMS
    [register] = [each for each in operations if each["operationId"] == "register_account"]
    assert register["security"] == []
    named = {scheme for each in operations for alternative in each["security"] for scheme in alternative}
    assert named == set(document["components"]["securitySchemes"])


def test_the_document_names_its_server_and_defines_its_tags(app: FastAPI) -> None:
    document = app.openapi()
    assert document["servers"] == [{"url": "/"}]
    used = {tag for path in document["paths"].values() for operation in path.values() for tag in operation["tags"]}
    assert sorted(used) == sorted(tag["name"] for tag in document["tags"])
    assert all(tag["description"] for tag in document["tags"])


def test_every_operation_explains_itself_and_its_parameters(app: FastAPI) -> None:
    document = app.openapi()
    assert document["info"]["description"]
    assert document["info"]["license"].keys() == {"name", "identifier"}
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    assert len({each["operationId"] for each in operations}) == len(operations)
    for each in operations:
        assert each["summary"], each["operationId"]
        assert each["description"], each["operationId"]
        assert [status for status in each["responses"] if status.startswith("4")], each["operationId"]
        for parameter in each.get("parameters", ()):
            assert parameter["description"], (each["operationId"], parameter["name"])
        assert all(answer["description"] for answer in each["responses"].values())


def test_every_failure_may_be_problem_details(app: FastAPI) -> None:
    """Also where a route has a form of its own: the layers in front of it answer too."""
    operations = [operation for path in app.openapi()["paths"].values() for operation in path.values()]
    failures = [
        (operation["operationId"], status, answer)
        for operation in operations
        for status, answer in operation["responses"].items()
        if status[0] in "45d"
    ]
    assert len(failures) > 100
    assert [each for each in failures if "application/problem+json" not in each[2].get("content", {})] == []


def test_the_schema_refuses_a_blank_query(app: FastAPI) -> None:
    [path] = [path for path in app.openapi()["paths"] if path.endswith("/search")]
    [q] = [each for each in app.openapi()["paths"][path]["get"]["parameters"] if each["name"] == "q"]
    assert q["schema"]["pattern"] == r"\S"
    assert q["schema"]["maxLength"] == 1000


def instants(node: JsonValue, where: str = "") -> Iterator[tuple[str, JsonValue]]:
    """Every property and parameter whose name denotes an instant, at any depth, with its schema."""
    if isinstance(node, list):
        for number, each in enumerate(node):
            yield from instants(each, f"{where}/{number}")
    if not isinstance(node, dict):
        return
    properties = node.get("properties")
    named = list(properties.items()) if isinstance(properties, dict) else []
    named += [(str(node["name"]), node.get("schema"))] if "in" in node and "name" in node else []
    yield from ((f"{where}/{name}", each) for name, each in named if name == "at" or name.endswith("_at"))
    for name, each in node.items():
        yield from instants(each, f"{where}/{name}")


def is_instant(schema: JsonValue) -> bool:
    assert isinstance(schema, dict)
    choices = schema.get("anyOf", [schema])
    assert isinstance(choices, list)
    given = [each for each in choices if isinstance(each, dict) and each != {"type": "null"}]
    return [(each.get("type"), each.get("format")) for each in given] == [("string", "date-time")]


def test_every_instant_has_the_date_time_format(app: FastAPI) -> None:
    """In the document, and in the output of the tools."""
    found = [*instants(app.openapi()), *instants([tool.output_schema for tool in DESCRIBED])]
    assert len(found) > 40
    assert [where for where, schema in found if not is_instant(schema)] == []
