"""A loopback server with the `/rerank` routes of Cohere, Jina and text-embeddings-inference."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.loopback import served

type Results = list[dict[str, float]]


@dataclass
class RerankServer:
    """Scores a text by how often it contains the query, as a share of its words; `answer` replaces the response."""

    url: str = ""
    answer: Callable[[Results], Response] | None = None
    bodies: list[Mapping[str, object]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)

    async def rerank(self, request: Request) -> Response:
        body = await request.json()
        self.bodies.append(body)
        self.keys.append(request.headers.get("authorization"))
        texts, name = (body["texts"], "score") if "texts" in body else (body["documents"], "relevance_score")
        shares = [text.split().count(body["query"]) / len(text.split()) for text in texts]
        results = [{"index": index, name: share} for index, share in enumerate(shares)]
        results.sort(key=lambda each: -each[name])
        if self.answer is not None:
            return self.answer(results)
        return JSONResponse(results if "texts" in body else {"id": "1", "results": results, "meta": {}})


@asynccontextmanager
async def rerank_server() -> AsyncIterator[RerankServer]:
    running = RerankServer()
    routes = [Route(path, running.rerank, methods=["POST"]) for path in ("/v2/rerank", "/rerank")]
    async with served(routes) as running.url:
        yield running
