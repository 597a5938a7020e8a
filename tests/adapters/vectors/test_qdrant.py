"""The adapter on the wire, against the same engine in two forms; `qdrant_server` says how to test a real server."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import ClassVar
from uuid import UUID

import httpx2
import orjson
import pytest
from starlette.requests import Request
from starlette.responses import Response

from partywall.adapters.vectors import qdrant, qdrant_requests
from partywall.adapters.vectors.qdrant import Qdrant, QdrantOptions
from partywall.core.ids import new_id
from partywall.core.outgoing.endpoints import open_endpoint_client, tls_context
from partywall.core.outgoing.retries import Retries
from partywall.core.tenancy import Principal, ProjectScope, make_scope
from partywall.core.vector_server import Point, VectorServerError, VectorSpace
from tests.adapters.vectors import qdrant_server as qdrant_server_module
from tests.adapters.vectors.qdrant_server import KINDS, Body, LocalCollection, QdrantServer, qdrant_server

SPACE = VectorSpace("a model@1", 3)
OTHER = VectorSpace("a model@2", 3)
SECRET = "a secret key"


def scope_of(project_id: UUID) -> ProjectScope:
    return make_scope(project_id, Principal.service(project_id), "service")


MINE, THEIRS = scope_of(UUID(int=1)), scope_of(UUID(int=2))


@pytest.fixture(params=KINDS)
async def server(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[QdrantServer]:
    async with qdrant_server(request.param, tmp_path) as running:
        yield running


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    async with open_endpoint_client(Retries(0), tls_context(None)) as opened:
        yield opened


@pytest.fixture
async def index(server: QdrantServer, client: httpx2.AsyncClient) -> AsyncIterator[Qdrant]:
    prefix = f"test-{new_id().hex}"
    made = Qdrant.of(client, QdrantOptions(server.url, SECRET, prefix, timedelta(seconds=60)))
    yield made
    if server.kind == "server":
        for space in (SPACE, OTHER):
            await client.delete(f"{server.url}/collections/{made.collection(space)}", headers={"api-key": SECRET})


def points(*numbers: int) -> list[Point]:
    """The larger the number, the farther from the first axis."""
    return [Point(number, f"[1,{number / 10},0]") for number in numbers]


async def held(index: Qdrant, scope: ProjectScope, space: VectorSpace = SPACE) -> list[int]:
    return [number async for some in index.numbers(scope, space) for number in some]


async def test_each_project_has_its_own_points(index: Qdrant, monkeypatch: pytest.MonkeyPatch) -> None:
    await index.write(MINE, SPACE, points(3, 1, 2))
    await index.write(THEIRS, SPACE, points(5, 4))
    assert await index.nearest(MINE, SPACE, "[1,0,0]", 10) == [1, 2, 3]
    assert await index.nearest(THEIRS, SPACE, "[1,0,0]", 1) == [4]
    assert await index.projects(SPACE) == {MINE.project_id, THEIRS.project_id}
    await index.delete(THEIRS, SPACE, [1, 4, 99])
    monkeypatch.setattr(qdrant, "SCROLLED_AT_ONCE", 2)
    assert (await held(index, MINE), await held(index, THEIRS)) == ([1, 2, 3], [5])


async def test_a_point_is_replaced_by_its_number(index: Qdrant) -> None:
    await index.write(MINE, SPACE, points(1, 2))
    await index.write(MINE, SPACE, [Point(1, "[0,0,1]")])
    assert await index.nearest(MINE, SPACE, "[0,0,1]", 10) == [1, 2]


async def test_models_are_kept_apart(index: Qdrant) -> None:
    await index.write(MINE, SPACE, points(1))
    await index.write(MINE, OTHER, points(2))
    assert (await held(index, MINE), await held(index, MINE, OTHER)) == ([1], [2])
    names = {
        index.collection(each) for each in (SPACE, OTHER, VectorSpace("a model@1", 4), VectorSpace("A-model@1", 3))
    }
    assert len(names) == 4
    await index.delete_project(MINE.project_id)
    assert (await held(index, MINE), await held(index, MINE, OTHER)) == ([], [])


async def test_several_processes_prepare_at_once(index: Qdrant) -> None:
    others = [Qdrant(index.requests, index.prefix) for _ in range(3)]
    await asyncio.gather(*(each.prepare(SPACE) for each in (index, *others)))
    await others[0].write(MINE, SPACE, points(1))
    assert await held(index, MINE) == [1]


async def test_what_is_not_there_is_an_error_to_search_only(index: Qdrant) -> None:
    with pytest.raises(VectorServerError, match="404"):
        await index.nearest(MINE, SPACE, "[1,0,0]", 1)
    await index.delete(MINE, SPACE, [1])
    assert (await held(index, MINE), await index.projects(SPACE)) == ([], set())


async def test_a_lost_collection_is_made_again(index: Qdrant, server: QdrantServer, client: httpx2.AsyncClient) -> None:
    await index.write(MINE, SPACE, points(1))
    if server.kind == "server":
        await client.delete(f"{server.url}/collections/{index.collection(SPACE)}", headers={"api-key": SECRET})
    server.collections.clear()
    with pytest.raises(VectorServerError, match="404"):
        await index.write(MINE, SPACE, points(1))
    await index.write(MINE, SPACE, points(1))
    assert await held(index, MINE) == [1]


async def test_an_old_server_is_refused_and_one_that_is_away_is_not(index: Qdrant, server: QdrantServer) -> None:
    assert await index.refusal() is None
    if server.kind == "server":
        return
    for version in ("1.15.3", "0.9", "dev"):
        server.says = version
        assert version in str(await index.refusal())
    server.says = "2.0.0-dev"
    assert await index.refusal() is None
    server.away = True
    assert await index.refusal() is None


async def answered(tmp_path: Path, client: httpx2.AsyncClient, body: bytes, *, status: int = 200) -> str:
    """What the adapter says to such an answer."""

    async def answer(_: Request) -> Response:
        return Response(body, status)

    running = QdrantServer("local", tmp_path)
    running.all = answer  # type: ignore[method-assign]  # the answer under test
    async with qdrant_server("local", tmp_path, running) as server:
        made = Qdrant.of(client, QdrantOptions(server.url, SECRET, "p", timedelta(seconds=60)))
        with pytest.raises(VectorServerError) as caught:
            await made.delete_project(MINE.project_id)
    assert server.keys == {SECRET}
    assert SECRET not in str(caught.value)
    return str(caught.value)


async def test_strange_answers_are_one_line(tmp_path: Path, client: httpx2.AsyncClient) -> None:
    assert "not JSON" in await answered(tmp_path, client, b"<html>")
    assert "no collections" in await answered(tmp_path, client, orjson.dumps({"result": {"collections": 3}}))
    assert (
        await answered(tmp_path, client, f"no\n{SECRET}".encode(), status=403)
        == "the vector server answered 403: no ***"
    )
    assert "too large" in await answered(tmp_path, client, b"x" * (qdrant_requests.MOST_BYTES + 1))


class Strange(LocalCollection):
    """Answers with what no Qdrant of ours would say."""

    said: ClassVar[dict[str, object]] = {"points": [], "hits": []}

    def query(self, body: Body) -> dict[str, object]:
        return self.said

    scroll = facet = query


async def test_wrong_ids_pages_and_projects_are_no_answer(
    tmp_path: Path, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(qdrant_server_module, "LocalCollection", Strange)
    async with qdrant_server("local", tmp_path) as server:
        made = Qdrant.of(client, QdrantOptions(server.url, SECRET, "p", timedelta(seconds=60)))
        await made.prepare(SPACE)
        ids = [3, 2**63, 2**64 - 1, str(new_id()), None, 4, 5]
        monkeypatch.setattr(
            Strange, "said", {"points": [{"id": each} for each in ids], "next_page_offset": 0, "hits": [{"count": 1}]}
        )
        assert await made.nearest(MINE, SPACE, "[1,0,0]", 2) == [3, 4]
        with pytest.raises(VectorServerError, match="do not end"):
            await held(made, MINE)
        with pytest.raises(VectorServerError, match="a project that is none"):
            await made.projects(SPACE)


async def test_collections_of_a_longer_prefix_are_left_alone(server: QdrantServer, client: httpx2.AsyncClient) -> None:
    if server.kind == "server":
        return
    options = [QdrantOptions(server.url, SECRET, prefix, timedelta(seconds=60)) for prefix in ("pw", "pw-staging")]
    ours, copy = [Qdrant.of(client, each) for each in options]
    for each in (ours, copy):
        await each.write(MINE, SPACE, points(1))
    await ours.delete_project(MINE.project_id)
    assert (await held(ours, MINE), await held(copy, MINE)) == ([], [1])


async def test_a_server_that_is_away_or_hangs_is_an_error(client: httpx2.AsyncClient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as hanging:  # never accepts
        port = hanging.getsockname()[1]
        made = Qdrant.of(client, QdrantOptions(f"http://127.0.0.1:{port}", None, "p", timedelta(milliseconds=50)))
        with pytest.raises(VectorServerError, match=r"not answered within 0\.05 seconds"):
            await made.ping()
    with pytest.raises(VectorServerError, match="does not answer"):
        await Qdrant.of(client, QdrantOptions(f"http://127.0.0.1:{port}", None, "p", timedelta(seconds=60))).ping()
