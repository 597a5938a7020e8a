"""A loopback server for Anthropic's Messages API with scripted replies."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.features.live.server import Server
from tests.features.runs.model_server import Json, Reply


@dataclass(frozen=True, slots=True)
class Asked:
    """A received request."""

    body: Json
    headers: dict[str, str]

    @property
    def key(self) -> str:
        """The API key, from either header that the API accepts."""
        return self.headers.get("x-api-key") or self.headers["authorization"].removeprefix("Bearer ")

    @property
    def tool_results(self) -> list[str]:
        """The tool results in the request."""
        messages = cast("list[Json]", self.body["messages"])
        blocks = [block for message in messages for block in _blocks(message)]
        results = [block for block in blocks if block["type"] == "tool_result"]
        return ["".join(str(part["text"]) for part in _blocks(result)) for result in results]


@dataclass(slots=True)
class MessagesServer:
    """Gives its replies in turn; repeats the last one."""

    url: str = ""
    replies: Sequence[Reply] = ()
    asked: list[Asked] = field(default_factory=list)
    _calls: int = 0

    def says(self, *replies: Reply) -> None:
        self.replies = replies
        self.asked.clear()

    async def create(self, request: Request) -> Response:
        asked = Asked(await request.json(), dict(request.headers))
        if "anthropic-version" not in asked.headers:
            return _error(400, "invalid_request_error")
        self.asked.append(asked)
        reply = self.replies[min(len(self.asked), len(self.replies)) - 1]
        if reply.status != 200:
            return _error(reply.status, "api_error")
        message = self._message(asked, reply)
        if asked.body.get("stream"):
            return StreamingResponse(_stream(message, reply), media_type="text/event-stream")
        return JSONResponse(message)

    def _message(self, asked: Asked, reply: Reply) -> Json:
        content: list[Json] = [{"type": "text", "text": reply.text}] if reply.text else []
        for call in reply.calls:
            self._calls += 1
            id_ = call.id or f"toolu_{self._calls}"
            content.append({"type": "tool_use", "id": id_, "name": call.tool, "input": call.arguments})
        return {
            "id": "msg_1", "type": "message", "role": "assistant", "model": asked.body["model"], "content": content,
            "stop_reason": "tool_use" if reply.calls else "end_turn", "stop_sequence": None,
            "usage": {"input_tokens": 20, "output_tokens": 5 + 10 * len(reply.calls)},
        }  # fmt: skip


def _blocks(message: Json) -> list[Json]:
    content = message["content"]
    return content if isinstance(content, list) else []


def _error(status: int, kind: str) -> Response:
    return JSONResponse({"type": "error", "error": {"type": kind, "message": "scripted"}}, status)


def _event(type_: str, **fields: object) -> str:
    return f"event: {type_}\ndata: {json.dumps({'type': type_, **fields})}\n\n"


async def _stream(message: Json, reply: Reply) -> AsyncIterator[str]:
    usage, content = message["usage"], message["content"]
    assert isinstance(content, list)
    yield _event("message_start", message={**message, "content": [], "stop_reason": None})
    yield _event("ping")
    for index, block in enumerate(content):
        is_text = block["type"] == "text"
        opened = {**block, "text": ""} if is_text else {**block, "input": {}}
        yield _event("content_block_start", index=index, content_block=opened)
        for delta in _deltas(block):
            await asyncio.sleep(reply.pause)
            yield _event("content_block_delta", index=index, delta=delta)
        if reply.cut:
            return
        yield _event("content_block_stop", index=index)
    ended = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield _event("message_delta", delta=ended, usage=usage)
    yield _event("message_stop")


def _deltas(block: Json) -> list[Json]:
    if block["type"] == "text":
        return [{"type": "text_delta", "text": f"{word} "} for word in str(block["text"]).split()]
    text = json.dumps(block["input"])
    pieces = [text[at : at + 12] for at in range(0, len(text), 12)]
    return [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]


@asynccontextmanager
async def messages_server() -> AsyncIterator[MessagesServer]:
    """Listens on its own port until the block ends."""
    found = MessagesServer()
    app = Starlette(routes=[Route("/v1/messages", found.create, methods=["POST"])])
    server = Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, timeout_graceful_shutdown=1))
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        found.url = f"http://127.0.0.1:{server.port}"
        try:
            yield found
        finally:
            server.should_exit = True
            await serving
