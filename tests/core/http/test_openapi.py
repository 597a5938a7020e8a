from __future__ import annotations

from fastapi import FastAPI

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
    assert used == {tag["name"] for tag in document["tags"]}
    assert all(tag["description"] for tag in document["tags"])


def test_every_failure_may_be_problem_details(app: FastAPI) -> None:
    """Also where a route has a form of its own: what stands before it answers too."""
    operations = [operation for path in app.openapi()["paths"].values() for operation in path.values()]
    failures = [
        (operation["operationId"], status, answer)
        for operation in operations
        for status, answer in operation["responses"].items()
        if status[0] in "45d"
    ]
    assert len(failures) > 100
    assert [each for each in failures if "application/problem+json" not in each[2].get("content", {})] == []


def test_a_query_of_blanks_is_none_by_its_schema(app: FastAPI) -> None:
    [path] = [path for path in app.openapi()["paths"] if path.endswith("/search")]
    [q] = [each for each in app.openapi()["paths"][path]["get"]["parameters"] if each["name"] == "q"]
    assert q["schema"]["pattern"] == r"\S"
    assert q["schema"]["maxLength"] == 1000
