"""A loopback server that speaks OpenAI's embeddings protocol, with faults on demand."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

DIMENSION = 256


@dataclass
class Endpoint:
    """`faults` are returned first, one per request; `requests` and `keys` (Authorization) record what came.

    Requests with `slow` in a text wait for `hold`. `rule` returns the response for the requests that it refuses.
    """

    url: str = ""
    faults: list[Callable[[], Response]] = field(default_factory=list)
    requests: list[dict[str, object]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    dimension: int = DIMENSION
    hold: asyncio.Event | None = None
    slow: str = ""
    rule: Callable[[list[str]], Response | None] | None = None

    async def embeddings(self, request: Request) -> Response:
        body = await request.json()
        self.requests.append(body)
        self.keys.append(request.headers.get("authorization"))
        if self.hold is not None and any(self.slow in text for text in body["input"]):
            await self.hold.wait()
        if self.faults:
            return self.faults.pop(0)()
        if self.rule is not None and (refusal := self.rule(body["input"])) is not None:
            return refusal
        data = [
            {"object": "embedding", "index": index, "embedding": pseudo_vector(text, self.dimension)}
            for index, text in enumerate(body["input"])
        ]
        return JSONResponse({"object": "list", "data": data[::-1], "model": body["model"]})


def pseudo_vector(text: str, dimension: int = DIMENSION) -> list[float]:
    """Deterministic for a text, with length 2."""
    digest = hashlib.shake_256(text.encode()).digest(dimension)
    numbers = [byte - 127.5 for byte in digest]
    length = sum(number * number for number in numbers) ** 0.5
    return [2 * number / length for number in numbers]


def status(code: int, **headers: str) -> Callable[[], Response]:
    return lambda: JSONResponse({"error": {"message": "no"}}, code, headers)


@asynccontextmanager
async def serving(endpoint: Endpoint) -> AsyncIterator[Endpoint]:
    app = Starlette(routes=[Route("/v1/embeddings", endpoint.embeddings, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off"))
    async with asyncio.TaskGroup() as group:
        group.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        endpoint.url = f"http://127.0.0.1:{port}/v1"
        try:
            yield endpoint
        finally:
            server.should_exit = True
