"""Calls every operation of one project with the ids of another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from httpx2 import AsyncClient, Request, Response

from tests.isolation.seeded_project import COMMON, SeededProject

type Schema = Mapping[str, Any]

JSON = "application/json"
STREAM = "text/event-stream"
ERRORS = {401, 403, 404}
# An address that needs no name server.
HERE = "http://127.0.0.1:1024/hook"


@dataclass(frozen=True, slots=True)
class Operation:
    name: str
    method: str
    path: str
    spec: Schema
    document: Schema

    @property
    def things(self) -> list[str]:
        """The path parameters except the project."""
        named = [each["name"] for each in self.spec.get("parameters", ()) if each["in"] == "path"]
        return [name for name in named if name != "project_id"]

    @property
    def streams(self) -> bool:
        return STREAM in self.spec["responses"].get("200", {}).get("content", {})

    @property
    def takes_the_project_away(self) -> bool:
        return self.method == "DELETE" and not self.things

    def request(self, client: AsyncClient, inside: SeededProject, things: SeededProject) -> Request:
        """A valid request: the project comes from `inside`, all other ids and words from `things`."""
        path = self.path
        for name in self.things:
            assert name in things.ids, f"{self.name}: no project has a value for {name}"
            taken = "trashed_id" if (self.name, name) == ("restore_document", "document_id") else name
            path = path.replace("{" + name + "}", things.ids[taken])
        path = path.replace("{project_id}", str(inside.project))
        body = self.spec.get("requestBody", {}).get("content", {})
        query = dict(self._query(things))
        if "multipart/form-data" in body:
            return client.build_request("POST", path, params=query, files={"file": ("a.txt", b"own", "text/plain")})
        json = self._sample(body[JSON]["schema"], things) if JSON in body else None
        return client.build_request(self.method, path, params=query, json=json)

    def _query(self, things: SeededProject) -> Iterator[tuple[str, str]]:
        for parameter in self.spec.get("parameters", ()):
            if parameter["in"] == "query":
                known = {"q": f"{things.word} {COMMON}", "q_title": things.word, "external_id": things.external_id}
                if parameter["name"] in known:
                    yield parameter["name"], known[parameter["name"]]

    def _sample(self, schema: Schema, things: SeededProject) -> Any:  # noqa: ANN401 - JSON of any form
        """The document's example, or the minimal value for the schema."""
        if "$ref" in schema:
            schema = self.document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        if schema.get("examples"):
            return _with_foreign_ids(schema["examples"][0], things)
        if "anyOf" in schema:
            return self._sample(schema["anyOf"][0], things)
        match schema.get("type"):
            case "object":
                required = {name: schema["properties"][name] for name in schema.get("required", ())}
                return {
                    name: things.ids[name] if name in things.ids else self._sample(each, things)
                    for name, each in required.items()
                }
            case "array":
                return [self._sample(schema["items"], things)] * schema.get("minItems", 1)
            case "integer" | "number":
                return schema.get("minimum", 1)
            case "boolean":
                return False
        return _text(schema, things)


def _text(schema: Schema, things: SeededProject) -> str:
    if "enum" in schema:
        return str(schema["enum"][-1])
    if schema.get("format") == "email":
        return things.owner.email
    return things.ids["document_id"] if schema.get("format") == "uuid" else things.external_id


def _with_foreign_ids(example: Any, things: SeededProject) -> Any:  # noqa: ANN401 - JSON of any form
    """The same example with the other project's ids."""
    if isinstance(example, list):
        return [_with_foreign_ids(each, things) for each in example]
    if not isinstance(example, dict):
        return example
    known = {**things.ids, "external_id": things.external_id, "email": things.owner.email, "url": HERE}
    return {name: known[name] if name in known else _with_foreign_ids(each, things) for name, each in example.items()}


def operations(app: FastAPI) -> list[Operation]:
    """All operations of a project: reads first, deletions last."""
    document = app.openapi()
    found = [
        Operation(spec["operationId"], method.upper(), path, spec, document)
        for path, methods in document["paths"].items()
        for method, spec in methods.items()
        if "{project_id}" in path
    ]
    return sorted(found, key=lambda each: (each.method != "GET", each.method == "DELETE", each.takes_the_project_away))


def leaked(request: Request, response: Response, foreign: SeededProject) -> list[str]:
    """The foreign project's secrets in the answer that were not in the request."""
    asked = f"{request.url} {request.read().decode()}"
    told = f"{response.text} {response.headers}"
    return [secret for secret in foreign.secrets() if secret in told and secret not in asked]


def listed(response: Response) -> list[object]:
    """The items of a list or a search, or none for other answers."""
    if response.status_code != 200 or JSON not in response.headers.get("content-type", ""):
        return []
    body = response.json()
    return list(body["items"]) if isinstance(body, dict) and "items" in body else []
