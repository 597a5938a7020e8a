"""A loopback server with the part of Qdrant's REST API that we use, on qdrant-client's local mode or on Qdrant Edge.

Edge is the engine of the real server, in this process. `PARTYWALL_TEST_QDRANT_URL` names a real server to test as well.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import qdrant_client
import qdrant_edge as edge
import uvicorn
from qdrant_client import models
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from partywall.core.ids import new_id

SERVER: Final = os.environ.get("PARTYWALL_TEST_QDRANT_URL")
KINDS: Final = ("local", "edge", *(("server",) if SERVER else ()))

type Body = dict[str, Any]  # JSON of the wire protocol
type Answer = dict[str, object]


class Collection(Protocol):
    def index(self, body: Body) -> None: ...
    def upsert(self, body: Body) -> None: ...
    def delete(self, body: Body) -> None: ...
    def query(self, body: Body) -> Answer: ...
    def scroll(self, body: Body) -> Answer: ...
    def facet(self, body: Body) -> Answer: ...


class LocalCollection:
    """In qdrant-client's local mode."""

    def __init__(self, body: Body) -> None:
        self._client = qdrant_client.QdrantClient(":memory:")
        self._client.create_collection("c", vectors_config=models.VectorParams.model_validate(body["vectors"]))

    def index(self, body: Body) -> None:
        """Local mode has no indexes: it only checks the parameters."""
        models.KeywordIndexParams.model_validate(body["field_schema"])

    def upsert(self, body: Body) -> None:
        self._client.upsert("c", [models.PointStruct.model_validate(each) for each in body["points"]])

    def delete(self, body: Body) -> None:
        self._client.delete("c", models.FilterSelector.model_validate({"filter": body["filter"]}))

    def query(self, body: Body) -> Answer:
        found = self._client.query_points("c", query=body["query"], query_filter=_filter(body), limit=body["limit"])
        return {"points": [{"id": each.id, "score": each.score} for each in found.points]}

    def scroll(self, body: Body) -> Answer:
        points, after = self._client.scroll("c", _filter(body), body["limit"], offset=body["offset"])
        return {"points": [{"id": each.id} for each in points], "next_page_offset": after}

    def facet(self, body: Body) -> Answer:
        found = self._client.facet("c", body["key"], limit=body["limit"])
        return {"hits": [{"value": each.value, "count": each.count} for each in found.hits]}


class EdgeCollection:
    """In a shard of Qdrant Edge."""

    def __init__(self, body: Body, folder: Path) -> None:
        folder.mkdir()
        assert body["vectors"]["distance"] == "Cosine"
        vectors = edge.EdgeVectorParams(
            size=body["vectors"]["size"], distance=edge.Distance.Cosine, datatype=edge.VectorStorageDatatype.Float16
        )
        graph = edge.HnswIndexConfig(ef_construct=100, full_scan_threshold=10, **body["hnsw_config"])
        self._shard = edge.EdgeShard.create(str(folder), edge.EdgeConfig(vectors=vectors, hnsw_config=graph))

    def index(self, body: Body) -> None:
        assert body["field_schema"]["type"] == "keyword"
        params = edge.KeywordIndexParams(is_tenant=body["field_schema"]["is_tenant"])
        self._shard.update(edge.UpdateOperation.create_field_index(body["field_name"], params))

    def upsert(self, body: Body) -> None:
        points = [edge.Point(each["id"], each["vector"], each["payload"]) for each in body["points"]]
        self._shard.update(edge.UpdateOperation.upsert_points(points))

    def delete(self, body: Body) -> None:
        self._shard.update(edge.UpdateOperation.delete_points_by_filter(_edge_conditions(body)))

    def query(self, body: Body) -> Answer:
        query = edge.Query.Nearest(body["query"])
        found = self._shard.query(
            edge.QueryRequest(limit=body["limit"], query=query, filter=_edge_filter(body), with_payload=False)
        )
        return {"points": [{"id": each.id, "score": each.score} for each in found]}

    def scroll(self, body: Body) -> Answer:
        points, after = self._shard.scroll(
            edge.ScrollRequest(offset=body["offset"], limit=body["limit"], filter=_edge_filter(body))
        )
        return {"points": [{"id": each.id} for each in points], "next_page_offset": after}

    def facet(self, body: Body) -> Answer:
        found = self._shard.facet(edge.FacetRequest(key=body["key"], limit=body["limit"], exact=True))
        return {"hits": [{"value": each.value, "count": each.count} for each in found.hits]}


def _filter(body: Body) -> models.Filter | None:
    return models.Filter.model_validate(body["filter"]) if "filter" in body else None


def _edge_filter(body: Body) -> edge.Filter | None:
    return _edge_conditions(body) if "filter" in body else None


def _edge_conditions(body: Body) -> edge.Filter:
    conditions: list[edge.FieldCondition | edge.HasIdCondition] = []
    for each in body["filter"]["must"]:
        if "has_id" in each:
            conditions.append(edge.HasIdCondition(set(each["has_id"])))
        else:
            conditions.append(edge.FieldCondition(each["key"], match=edge.MatchValue(each["match"]["value"])))
    return edge.Filter(must=[*conditions])


@dataclass
class QdrantServer:
    """`away`: it answers 503. `open`: it ignores the filter of queries. `says` is its version.

    `keys` records the API keys that came.
    """

    kind: str
    folder: Path
    url: str = ""
    away: bool = False
    open: bool = False
    says: str = "1.15.4"
    collections: dict[str, Collection] = field(default_factory=dict)
    keys: set[str | None] = field(default_factory=set)

    def made(self, body: Body) -> Collection:
        if self.kind == "local":
            return LocalCollection(body)
        return EdgeCollection(body, self.folder / new_id().hex)

    async def version(self, _: Request) -> Response:
        return JSONResponse({"title": "qdrant - vector search engine", "version": self.says})

    async def all(self, _: Request) -> Response:
        return self.result({"collections": [{"name": name} for name in self.collections]})

    async def exists(self, request: Request) -> Response:
        return self.result({"exists": request.path_params["name"] in self.collections})

    async def create(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name in self.collections:
            return JSONResponse({"status": {"error": f"Wrong input: Collection `{name}` already exists!"}}, 409)
        self.collections[name] = self.made(await request.json())
        return self.result(True)

    def on_collection(self, act: Callable[[Collection, Body], object]) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            name, body = request.path_params["name"], await request.json()
            if name not in self.collections:
                return JSONResponse({"status": {"error": f"Not found: Collection `{name}` doesn't exist!"}}, 404)
            if self.open and request.url.path.endswith("/query"):
                del body["filter"]
            return self.result(act(self.collections[name], body) or {"status": "completed"})

        return endpoint

    @staticmethod
    def result(result: object) -> Response:
        return JSONResponse({"result": result, "status": "ok", "time": 0.0})

    def app(self) -> ASGIApp:
        of = "/collections/{name}"
        made = {
            ("PUT", f"{of}/index"): lambda found, body: found.index(body),
            ("PUT", f"{of}/points"): lambda found, body: found.upsert(body),
            ("POST", f"{of}/points/delete"): lambda found, body: found.delete(body),
            ("POST", f"{of}/points/query"): lambda found, body: found.query(body),
            ("POST", f"{of}/points/scroll"): lambda found, body: found.scroll(body),
            ("POST", f"{of}/facet"): lambda found, body: found.facet(body),
        }
        routes = [
            Route("/", self.version),
            Route("/collections", self.all),
            Route(f"{of}/exists", self.exists),
            Route(of, self.create, methods=["PUT"]),
            *(Route(path, self.on_collection(act), methods=[method]) for (method, path), act in made.items()),
        ]
        app = Starlette(routes=routes)

        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            self.keys.add(Headers(scope=scope).get("api-key"))
            away = JSONResponse({"status": {"error": "Service unavailable"}}, 503)
            await (away if self.away else app)(scope, receive, send)

        return guarded


@asynccontextmanager
async def qdrant_server(
    kind: str, folder: Path, running: QdrantServer | None = None, port: int = 0
) -> AsyncIterator[QdrantServer]:
    running = running or QdrantServer(kind, folder)
    if kind == "server":
        assert SERVER is not None
        running.url = SERVER
        yield running
        return
    server = uvicorn.Server(uvicorn.Config(running.app(), port=port, log_config=None, lifespan="off"))
    async with asyncio.TaskGroup() as group:
        group.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        running.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        try:
            yield running
        finally:
            server.should_exit = True
