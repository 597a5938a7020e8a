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
