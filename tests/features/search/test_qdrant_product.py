"""The whole product with Qdrant: the API, a worker and the operator's commands."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import httpx2
import pytest
from asgi_lifespan import LifespanManager

from partywall.adapters.vectors.qdrant import Qdrant, QdrantOptions
from partywall.cli import run
from partywall.core.outgoing import circuits
from partywall.core.resources import Resources
from partywall.core.tenancy import Principal, ProjectScope, make_scope
from partywall.core.vector_server import Point, VectorSpace
from partywall.features.search import vector_sender
from partywall.main import create_app
from partywall.testing.conditions import until
from partywall.testing.deployment import settings_for_tests
from partywall.testing.engines import Urls, new_database
from partywall.testing.users import Person, Users
from partywall.worker import imported_features, work
from tests.adapters.vectors.qdrant_server import QdrantServer, qdrant_server
from tests.server import free_port

PREFIX = "product"


@dataclass(frozen=True, slots=True)
class Product:
    """A project of a person, in a deployment of its own; `server` runs until `server_stack` is closed."""

    users: Users
    person: Person
    project: UUID
    resources: Resources
    server: QdrantServer
    server_stack: AsyncExitStack
    engine: Qdrant

    @property
    def url(self) -> str:
        return f"/api/v1/projects/{self.project}"

    @property
    def scope(self) -> ProjectScope:
        return make_scope(self.project, Principal.service(self.project), "service")

    @property
    def space(self) -> VectorSpace:
        model = self.resources.embedders.current
        return VectorSpace(model.name, model.dimension)

    async def of_another(self) -> Product:
        person = await self.users.person()
        return replace(self, person=person, project=await person.project())

    async def put(self, text: str) -> str:
        """Creates a document and waits until it is indexed."""
        answer = await self.person.client.post(f"{self.url}/documents", json={"title": text, "content": text})
        assert answer.status_code == 201, answer.text
        path = f"{self.url}/documents/{answer.json()['id']}"

        async def indexed() -> bool:
            return bool((await self.person.client.get(path)).json()["index_status"] == "indexed")

        await until(indexed)
        return path

    async def found(self, q: str, mode: str) -> tuple[str, list[str]]:
        """The mode used, or the code of the problem, and the titles."""
        params = {"q": q, "mode": mode, "group": "chunk"}
        answer = await self.person.client.get(f"{self.url}/search", params=params)
        if answer.status_code != 200:
            assert answer.status_code == 503, answer.text
            return answer.json()["code"], []
        return answer.headers["X-Search-Mode"], [item["title"] for item in answer.json()["items"]]

    async def there(self) -> list[int]:
        """The numbers of the project's passages on the server."""
        return [number async for some in self.engine.numbers(self.scope, self.space) for number in some]

    async def passages(self) -> list[int]:
        rows = await self.users.fetch("SELECT number FROM chunk WHERE project_id = $1 ORDER BY 1", self.project)
        return [row["number"] for row in rows]

    async def arrived(self) -> None:
        async def same() -> bool:
            return await self.there() == await self.passages()

        await until(same)

    async def point(self, number: int, text: str) -> Point:
        vector = await self.resources.embedders.current.embed_query(text)
        return Point(number, str([float(each) for each in vector]))

    async def is_ready(self) -> bool:
        """Whether `/readyz` names no failing vector server."""
        answer = await self.person.client.get("/readyz")
        return bool(answer.json()["resources"]["vectors"] != "failing")


async def command(name: str) -> int:
    return await asyncio.to_thread(run, ("index", name))


@pytest.fixture
async def product(
    engines: Urls,
    client: httpx2.AsyncClient,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Product]:
    for name in ("POLL", "FIRST_PAUSE", "LONGEST_PAUSE"):
        monkeypatch.setattr(vector_sender, name, 0.05)
    monkeypatch.setattr(circuits, "OPEN_SECONDS", 0.2)
    database = await new_database(engines, "product")
    async with AsyncExitStack() as stack:
        server_stack = await stack.enter_async_context(AsyncExitStack())
        server = await server_stack.enter_async_context(qdrant_server("edge", tmp_path, port=free_port()))
        vectors = {"engine": "qdrant", "url": server.url, "collection_prefix": PREFIX}
        data = tmp_path_factory.mktemp("product")
        settings = settings_for_tests(database, engines.cache, data, {"vectors": {**vectors, "timeout": "PT5S"}})
        for name, value in {
            "DATABASE__ENGINE": "server",
            "DATABASE__URL": database.runtime,
            "DATABASE__OWNER_URL": database.owner,
            "CACHE__ENGINE": "server",
            "CACHE__URL": engines.cache,
            **{f"VECTORS__{key.upper()}": value for key, value in vectors.items()},
        }.items():
            monkeypatch.setenv(name, value)
        app = create_app(settings)
        await stack.enter_async_context(LifespanManager(app, startup_timeout=60, shutdown_timeout=60))
        users = await stack.enter_async_context(Users(app, app.state.resources, database))
        person = await users.person()
        engine = Qdrant.of(client, QdrantOptions(server.url, None, PREFIX, timedelta(seconds=60)))
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(work(settings, imported_features(settings), stop))
            try:
                yield Product(users, person, await person.project(), app.state.resources, server, server_stack, engine)
            finally:
                stop.set()


async def test_a_document_arrives_and_a_deleted_one_never_comes_back(product: Product) -> None:
    cats, _ = await product.put("cats and dogs"), await product.put("tax law")
    await product.arrived()
    both = ("vector", ["cats and dogs", "tax law"])
    assert (await product.found("cats", "vector"), await command("verify")) == (both, 0)
    gone = (await product.passages())[0]
    assert (await product.person.client.delete(f"{cats}?permanent=true")).status_code == 204
    assert await product.found("cats", "vector") == ("vector", ["tax law"])
    await until(lambda: purged(product))
    await product.arrived()
    late = await product.point(gone, "cats and dogs")
    await product.engine.write(product.scope, product.space, [late])
    for mode in ("vector", "hybrid"):
        assert await product.found("cats", mode) == (mode, ["tax law"])


async def purged(product: Product) -> bool:
    return len(await product.passages()) == 1


async def test_passages_of_another_project_do_not_leak_and_are_put_right(
    product: Product, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their points are stored as if they were mine, where they are nearest to the query."""
    theirs = await product.of_another()
    await product.put("tax law")
    await theirs.put("cats and dogs")
    for each in (product, theirs):
        await each.arrived()
    [number] = await theirs.passages()
    await product.engine.write(product.scope, product.space, [await product.point(number, "cats")])
    assert number in await product.there()
    for mode in ("vector", "hybrid"):
        assert await product.found("cats", mode) == (mode, ["tax law"])
    assert await command("verify") == 1
    told = capsys.readouterr().out
    assert f"{product.project}: index of {product.space.model}: 1 are there that should not be\n" in told
    assert f"{theirs.project}: index of {product.space.model}: 1 vectors are not on the vector server\n" in told
    assert await command("repair") == 0
    for each in (product, theirs):
        await each.arrived()
    assert await command("verify") == 0
    assert await theirs.found("cats", "vector") == ("vector", ["cats and dogs"])


async def test_an_outage_is_told_and_what_waited_arrives_afterwards(
    product: Product, capsys: pytest.CaptureFixture[str]
) -> None:
    await product.put("tax law")
    await product.arrived()
    await product.server_stack.aclose()
    await product.put("cats and dogs")
    assert await product.found("cats", "hybrid") == ("text", ["cats and dogs"])
    assert await product.found("cats", "vector") == ("vector_index_unavailable", [])
    assert not await product.is_ready()
    assert await command("verify") == 2
    assert "VECTORS__URL" in capsys.readouterr().err
    port = httpx2.URL(product.server.url).port
    assert port is not None
    async with qdrant_server("edge", product.server.folder, product.server, port):
        await product.arrived()
        both = ("vector", ["cats and dogs", "tax law"])
        assert await product.found("cats", "vector") == both
        product.server.collections.clear()
        assert (await product.found("cats", "hybrid"))[0] == "text"
        assert (await command("verify"), await command("repair")) == (1, 0)
        await product.arrived()
        assert (await product.found("cats", "vector"), await command("verify")) == (both, 0)
        assert await product.is_ready()
