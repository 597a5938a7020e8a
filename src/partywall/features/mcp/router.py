from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Final

from anyio import to_thread
from fastapi import APIRouter, Request, Response
from starlette.responses import JSONResponse

from partywall.core.errors import UnsupportedMediaTypeError
from partywall.core.http.body_limits import MEDIUM_BYTES
from partywall.core.http.problems import documented
from partywall.core.http.sockets import OriginNotAllowedError
from partywall.core.schemas import JsonObject
from partywall.core.tenancy import ProjectNotFoundError
from partywall.features.mcp.caller import Caller
from partywall.features.mcp.dependencies import CallerDep, PageGuard
from partywall.features.mcp.messages import SCHEMA

router = APIRouter(prefix="/projects/{project_id}/mcp", tags=["mcp"])

type Exchange = Callable[[Caller, Request], Awaitable[Response]]

_EXCHANGE: Final = "partywall.features.mcp.protocol"
# A JSON-RPC response: a result or an error.
_ANSWER: Final[JsonObject] = {
    "type": "object",
    "properties": {"jsonrpc": {"const": "2.0"}, "id": {}, "result": {"type": "object"}, "error": {"type": "object"}},
    "required": ["jsonrpc"],
}
_JSON: Final[JsonObject] = {"application/json": {"schema": _ANSWER}}
_STREAM: Final[JsonObject] = {"text/event-stream": {"schema": {"type": "string"}}}


async def _load() -> Exchange:
    """Imports the module in a thread, so that the event loop is not blocked."""
    exchange: Exchange = (await to_thread.run_sync(import_module, _EXCHANGE)).exchange
    return exchange


@router.post(
    "",
    status_code=200,
    response_class=JSONResponse,
    dependencies=[PageGuard],
    summary="Send a Model Context Protocol message",
    description="The project as an MCP server: streamable HTTP, one message per request and no session. Answers with "
    "JSON, or with server-sent events for calls that wait.",
    max_body_size=MEDIUM_BYTES,
    openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": SCHEMA}}}},
    responses={
        **documented(ProjectNotFoundError, OriginNotAllowedError, UnsupportedMediaTypeError),
        200: {"description": "The answer to a request", "content": {**_JSON, **_STREAM}},
        202: {"description": "The notification was received"},
        400: {"description": "Not a message of the protocol", "content": _JSON},
        406: {"description": "The client accepts neither JSON nor server-sent events", "content": _JSON},
    },
)
async def exchange_mcp_message(request: Request, caller: CallerDep) -> Response:
    """Reads the body itself, so that its errors follow the protocol."""
    _require_json(request.headers.get("content-type", ""))
    exchange = await _load()
    return await exchange(caller, request)


def _require_json(content_type: str) -> None:
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise UnsupportedMediaTypeError("Send messages as application/json.")
