"""Presents each tool of the MCP server as a route, so that the attack on routes can use it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

import orjson
from fastapi import FastAPI
from pydantic import JsonValue
from starlette.types import Message, Receive, Scope, Send

from partywall.testing.isolation.users import bearer
from partywall.testing.isolation.world import World

ENDPOINT: Final = "/api/v1/projects/{project_id}/mcp"
_LATEST: Final = b"2025-11-25"
# The HTTP statuses of the errors that a tool may return.
_STATUSES: Final[Mapping[str, int]] = {
    "missing_right": 403, "validation_failed": 422, "idempotency_key_reused": 422, "internal_error": 500,
    "not_authenticated": 401, "agent_model_not_configured": 503,
}  # fmt: skip

_LIST: Final = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}

type Described = dict[str, JsonValue]


async def with_tools(app: FastAPI, world: World) -> ToolApp:
    """The tools that HOME's owner is offered."""
    answer = await world.http.post(
        ENDPOINT.format(project_id=world.home.project), json=_LIST, headers=bearer(world.home.owner.token)
    )
    return ToolApp(app, answer.json()["result"]["tools"])


@dataclass(frozen=True, slots=True)
class ToolApp:
    """`app`, with a route for each of the `tools` in its list."""

    app: FastAPI
    tools: Sequence[Described]

    def openapi(self) -> dict[str, JsonValue]:
        document: dict[str, JsonValue] = json.loads(json.dumps(self.app.openapi()))
        paths = cast("dict[str, JsonValue]", document["paths"])
        schemas = cast("dict[str, JsonValue]", cast("Described", document["components"])["schemas"])
        for tool in self.tools:
            schema = cast("Described", tool["inputSchema"])
            schemas.update(cast("Described", schema.get("$defs", {})))
            paths[f"{ENDPOINT}/{tool['name']}"] = {"post": _operation(str(tool["name"]), schema)}
        return document

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, _, tool = str(scope["path"]).rpartition("/")
        if not path.endswith("/mcp") or tool not in {each["name"] for each in self.tools}:
            await self.app(scope, receive, send)
            return
        body = await _called(tool, receive)
        headers = [(name, value) for name, value in scope["headers"] if name != b"content-length"]
        headers += [(b"content-length", b"%d" % len(body)), (b"mcp-protocol-version", _LATEST)]
        raw_path = bytes(scope["raw_path"]).rpartition(b"/")[0]
        translated = {**scope, "path": path, "raw_path": raw_path, "headers": headers}
        await self.app(translated, _once(body, receive), _Translated(send).send)


def operation_of(tool: str) -> str:
    """The id of a tool's operation."""
    return f"mcp_{tool}"


def _operation(name: str, schema: Described) -> JsonValue:
    return {
        "operationId": operation_of(name),
        "security": [],
        "parameters": [{"name": "project_id", "in": "path", "required": True, "schema": {"type": "string"}}],
        "requestBody": {"content": {"application/json": {"schema": schema}}},
        "responses": {},
    }


async def _called(tool: str, receive: Receive) -> bytes:
    given = (await receive()).get("body", b"")
    call = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":%b,"arguments":%b}}'
    return call % (orjson.dumps(tool), given)


def _once(body: bytes, receive: Receive) -> Receive:
    unread = [body]

    async def again() -> Message:
        if unread:
            return {"type": "http.request", "body": unread.pop(), "more_body": False}
        return await receive()

    return again


class _Translated:
    """Translates the endpoint's answer into that of a route."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message = {}
        self._pieces: list[bytes] = []

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        self._pieces.append(message.get("body", b""))
        if message.get("more_body", False):
            return
        status, body = _as_route(self._start["status"], b"".join(self._pieces))
        headers = [(name, value) for name, value in self._start["headers"] if name != b"content-length"]
        await self._send({**self._start, "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})


def _as_route(status: int, body: bytes) -> tuple[int, bytes]:
    answer = orjson.loads(body)
    if status != 200:
        return status, body
    if "error" in answer:
        return 422, orjson.dumps({"code": "protocol_error", "detail": answer["error"]["message"]})
    result = answer["result"]
    if not result["isError"]:
        return 200, orjson.dumps(result)
    refusal = result["content"][0]["text"].encode()
    code = orjson.loads(refusal)["code"]
    return _STATUSES.get(code, 404 if code.endswith("_not_found") else 409), refusal
