"""Reads one JSON-RPC 2.0 message from a body. Errors are those of the protocol."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast

from pydantic import JsonValue
from pydantic_core import PydanticCustomError

from partywall.core.schemas import JsonObject, refuse_excessive, storable, whole

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
INVALID_PARAMS: Final = -32602
MOST_METHOD_CHARACTERS: Final = 200

type MessageId = int | str

# The body of a request, as the OpenAPI document has it.
SCHEMA: Final[JsonObject] = {
    "title": "McpMessage",
    "description": "A JSON-RPC 2.0 request or notification. A notification has no `id` and is answered with 202.",
    "type": "object",
    "properties": {
        "jsonrpc": {"type": "string", "const": "2.0"},
        "id": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
        "method": {"type": "string", "minLength": 1, "maxLength": MOST_METHOD_CHARACTERS},
        "params": {"anyOf": [{"type": "object", "additionalProperties": True}, {"type": "null"}]},
    },
    "required": ["jsonrpc", "method"],
    "examples": [{"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}],
}


class MessageError(Exception):
    """A JSON-RPC error. `message_id` is None if the message has no readable id."""

    def __init__(
        self, code: int, message: str, message_id: MessageId | None = None, data: JsonObject | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message_id = message_id
        error: dict[str, JsonValue] = {"code": code, "message": message}
        if data is not None:
            error["data"] = data
        self.body: JsonObject = {"jsonrpc": "2.0", "id": message_id, "error": error}


@dataclass(frozen=True, slots=True)
class Message:
    """A request, or a notification if `id` is None. Null parameters are removed.

    A tool's arguments are kept apart from `params`: only the tool validates them.
    """

    id: MessageId | None
    method: str
    params: JsonObject
    arguments: Mapping[str, object]

    def to_json(self) -> bytes:
        """The message without the arguments."""
        named = {} if self.id is None else {"id": self.id}
        return json.dumps({"jsonrpc": "2.0", **named, "method": self.method, "params": self.params}).encode()


def read_message(body: bytes) -> Message:
    """Raises MessageError."""
    given = _parsed(body)
    if not isinstance(given, dict):
        said = "Batches are not supported" if isinstance(given, list) else "This is not an object"
        raise MessageError(INVALID_REQUEST, f"Invalid Request: {said}")
    message_id = _id_of(given)
    method = _method_of(given, message_id)
    params = _params_of(given, message_id)
    arguments = params.pop("arguments", {}) if method == "tools/call" else {}
    if not isinstance(arguments, dict):
        raise MessageError(INVALID_PARAMS, "Invalid params: arguments are an object", message_id)
    return Message(message_id, method, _carried(params, message_id), arguments)


def _parsed(body: bytes) -> object:
    try:
        return json.loads(body.decode(), parse_constant=_refuse_constant)
    except RecursionError as error:
        raise MessageError(PARSE_ERROR, "Parse error: nested too deeply") from error
    except ValueError as error:
        raise MessageError(PARSE_ERROR, "Parse error: the body is not JSON in UTF-8") from error


def _refuse_constant(name: str) -> object:
    raise ValueError(name)


def _id_of(given: Mapping[str, object]) -> MessageId | None:
    if "id" not in given:
        return None
    value = whole(given["id"])
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise MessageError(INVALID_REQUEST, "Invalid Request: an id is text or a whole number")
    if isinstance(value, str) and not _is_text(value):
        raise MessageError(INVALID_REQUEST, "Invalid Request: the id is not text in UTF-8")
    return value


def _method_of(given: Mapping[str, object], message_id: MessageId | None) -> str:
    method = given.get("method")
    if method is None and not given.keys().isdisjoint(("result", "error")):
        raise MessageError(INVALID_REQUEST, "Invalid Request: nothing was asked of the client")
    if given.get("jsonrpc") != "2.0":
        raise MessageError(INVALID_REQUEST, 'Invalid Request: jsonrpc is "2.0"', message_id)
    if not isinstance(method, str) or not 0 < len(method) <= MOST_METHOD_CHARACTERS or not _is_text(method):
        raise MessageError(INVALID_REQUEST, "Invalid Request: a method has a name", message_id)
    return method


def _is_text(value: str) -> bool:
    try:
        storable(value)
    except PydanticCustomError:
        return False
    return True


def _params_of(given: Mapping[str, object], message_id: MessageId | None) -> dict[str, object]:
    params = given.get("params")
    if params is None:
        return {}
    if not isinstance(params, dict):
        raise MessageError(INVALID_PARAMS, "Invalid params: params are an object", message_id)
    params = _present(params)
    if params.get("cursor") == "":
        del params["cursor"]
    if isinstance(meta := params.get("_meta"), dict):
        params["_meta"] = {name: whole(value) for name, value in _present(meta).items()}
    return params


def _present(values: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}


def _carried(params: dict[str, object], message_id: MessageId | None) -> JsonObject:
    try:
        refuse_excessive(params)
    except PydanticCustomError as error:
        pointer = f"/params{(error.context or {}).get('pointer', '')}".encode("utf-8", "replace").decode()
        said = f"Invalid params: {error.message()}"
        raise MessageError(INVALID_PARAMS, said, message_id, {"pointer": pointer}) from error
    return cast("JsonObject", params)
