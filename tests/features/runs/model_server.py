"""An OpenAI-compatible loopback server with scripted replies; the only external service of a run."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.features.live.server import Server

type Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call of the model; the server generates a missing id."""

    tool: str
    arguments: Json
    id: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to one request. `pause` is the delay before each piece, in seconds.

    `raw` replaces the pieces. `error` and `headers` belong to an unsuccessful `status`.
    """

    text: str = ""
    calls: Sequence[Call] = ()
    status: int = 200
    pause: float = 0.0
    wait: asyncio.Event | None = None
    cut: bool = False
    raw: Sequence[str] | None = None
    error: object = None
    headers: Mapping[str, str] | None = None
    media_type: str = "text/event-stream"


def final(**output: object) -> Reply:
    """The agent's output, in the form that Pydantic AI asks of the model."""
    return Reply(calls=[Call("final_result", output)])


def calling(tool: str, **arguments: object) -> Reply:
    return Reply(calls=[Call(tool, arguments)])


@dataclass(slots=True)
class Times:
    """When an answer was requested, its first word sent and its last; seconds of `time.perf_counter`."""

    asked: float
    first: float | None = None
    ended: float | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A received request."""

    body: Json
    headers: dict[str, str]
    times: Times

    @property
    def messages(self) -> list[Json]:
        return cast("list[Json]", self.body["messages"])

    @property
    def tools(self) -> list[str]:
        given = cast("list[dict[str, Json]]", self.body.get("tools") or [])
        return [str(each["function"]["name"]) for each in given]

    @property
    def tool_results(self) -> list[str]:
        """The tool results so far, oldest first."""
        return [str(each["content"]) for each in self.messages if each["role"] == "tool"]

    @property
    def prompt(self) -> str:
        """The latest user message."""
        return str([each["content"] for each in self.messages if each["role"] == "user"][-1])


type Script = Callable[[Asked], Reply | Awaitable[Reply]]


def in_order(*replies: Reply) -> Script:
    """Gives the replies in turn; repeats the last one."""
    left = list(replies)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


@dataclass(slots=True)
class ModelServer:
    url: str = ""
    script: Script = field(default=lambda _: Reply(status=500))
    asked: list[Asked] = field(default_factory=list)
    broken_off: int = 0
    _calls: int = 0

    def says(self, *replies: Reply) -> None:
        self.script = in_order(*replies)
        self.asked.clear()
        self.broken_off = 0

    async def complete(self, request: Request) -> Response:
        times = Times(time.perf_counter())
        try:
            asked = Asked(await request.json(), dict(request.headers), times)
        except ClientDisconnect:  # the client was killed during its request
            return Response(status_code=400)
        self.asked.append(asked)
        found = self.script(asked)
        reply = found if isinstance(found, Reply) else await found
        if reply.status != 200:
            await asyncio.sleep(reply.pause)
            error = reply.error or {"error": {"message": "scripted", "type": "scripted"}}
            return JSONResponse(error, reply.status, reply.headers)
        if reply.raw is not None:
            return StreamingResponse(_raw(reply.raw, reply.pause), media_type=reply.media_type)
        if asked.body.get("stream"):
            return StreamingResponse(self._stream(asked, reply), media_type="text/event-stream")
        await asyncio.sleep(reply.pause)
        if reply.wait is not None:
            await reply.wait.wait()
        message: Json = {"role": "assistant", "content": reply.text or None}
        if reply.calls:
            message["tool_calls"] = [{**each, "index": None} for each in self._tool_calls(reply)]
        choice = {"index": 0, "message": message, "finish_reason": _finish(reply)}
        return JSONResponse(_envelope(asked, "chat.completion", [choice]) | {"usage": _usage(asked, reply)})

    async def _stream(self, asked: Asked, reply: Reply) -> AsyncIterator[str]:
        try:
            for delta in self._deltas(reply):
                await asyncio.sleep(reply.pause)
                if asked.times.first is None and _has_words(delta):
                    asked.times.first = time.perf_counter()
                yield _chunk(asked, [{"index": 0, "delta": delta, "finish_reason": None}])
            if reply.wait is not None:
                await reply.wait.wait()
            if reply.cut:
                raise ConnectionResetError
            yield _chunk(asked, [{"index": 0, "delta": {}, "finish_reason": _finish(reply)}])
            yield _chunk(asked, [], _usage(asked, reply))
            asked.times.ended = time.perf_counter()
            yield "data: [DONE]\n\n"
        except asyncio.CancelledError:
            self.broken_off += 1
            raise

    def _deltas(self, reply: Reply) -> list[Json]:
        words = [word + " " for word in reply.text.split()]
        deltas: list[Json] = [{"role": "assistant", "content": word} for word in words]
        for call in self._tool_calls(reply):
            function = cast("dict[str, str]", call["function"])
            opening = {**call, "function": {"name": function["name"], "arguments": ""}}
            deltas.append({"role": "assistant", "tool_calls": [opening]})
            text = function["arguments"]
            pieces = [text[at : at + 12] for at in range(0, len(text), 12)]
            deltas += [{"tool_calls": [{"index": call["index"], "function": {"arguments": each}}]} for each in pieces]
        return deltas

    def _tool_calls(self, reply: Reply) -> list[Json]:
        made = []
        for index, call in enumerate(reply.calls):
            self._calls += 1
            function = {"name": call.tool, "arguments": json.dumps(call.arguments)}
            id_ = call.id or f"call_{self._calls}"
            made.append({"index": index, "id": id_, "type": "function", "function": function})
        return made


async def _raw(pieces: Sequence[str], pause: float) -> AsyncIterator[str]:
    for piece in pieces:
        await asyncio.sleep(pause)
        yield piece


def _has_words(delta: Json) -> bool:
    """Whether the delta contains more than a tool's name."""
    calls = cast("list[dict[str, Json]]", delta.get("tool_calls") or [])
    return bool(delta.get("content")) or any(call["function"]["arguments"] for call in calls)


def _finish(reply: Reply) -> str:
    return "tool_calls" if reply.calls else "stop"


def _usage(asked: Asked, reply: Reply) -> Json:
    sent = sum(len(str(message.get("content") or "")) for message in asked.messages) // 4 + 1
    said = len(reply.text) // 4 + 10 * len(reply.calls) + 1
    return {"prompt_tokens": sent, "completion_tokens": said, "total_tokens": sent + said}


def _envelope(asked: Asked, kind: str, choices: list[Json]) -> Json:
    return {"id": "chatcmpl-1", "object": kind, "created": 1, "model": asked.body["model"], "choices": choices}


def _chunk(asked: Asked, choices: list[Json], usage: Json | None = None) -> str:
    return f"data: {json.dumps(_envelope(asked, 'chat.completion.chunk', choices) | {'usage': usage})}\n\n"


@asynccontextmanager
async def model_server() -> AsyncIterator[ModelServer]:
    """Listens on its own port until the block ends."""
    model = ModelServer()
    app = Starlette(routes=[Route("/v1/chat/completions", model.complete, methods=["POST"])])
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, timeout_graceful_shutdown=1)
    server = Server(config)
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        model.url = f"http://127.0.0.1:{server.port}/v1"
        try:
            yield model
        finally:
            server.should_exit = True
            await serving
