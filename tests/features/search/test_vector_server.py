"""Search with a vector server: what is committed gets there, what is deleted leaves it, and nothing else is found."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import httpx2
import pytest

from partywall.adapters.vectors.qdrant import Qdrant, QdrantOptions
from partywall.cli import run
from partywall.core.db.scopes import open_shared_scope
from partywall.core.resources import Resources
from partywall.core.tenancy import Principal, ProjectScope, make_scope
from partywall.core.vector_server import Point, VectorSpace
from partywall.features.projects.feature import feature as projects
from partywall.features.search import vector_sender
from partywall.features.search.constants import Breadth
from partywall.features.search.promotion import move_vectors
from partywall.features.search.vector_change_repository import VectorChanges
from partywall.features.search.vector_check import Difference, VectorCheck
from partywall.features.search.vector_sender import VectorSender, send_vectors
from partywall.settings import Settings
from partywall.testing.conditions import until
from partywall.testing.workers import run_due_jobs, working
from tests.adapters.vectors.qdrant_server import QdrantServer, qdrant_server
from tests.features.search.search_workspace import SearchWorkspace
from tests.features.search.test_index_rebuild import titles

UNSENT = "SELECT count(*) FROM vector_change WHERE project_id = $1 AND NOT deleted_once"
DUE_NOW = "UPDATE vector_change SET due_at = now() WHERE project_id = $1"


@dataclass(frozen=True, slots=True)
class Stocked:
    """A project on a vector server."""

    workspace: SearchWorkspace
    resources: Resources
    server: QdrantServer
    engine: Qdrant

    @property
    def project(self) -> UUID:
        return self.workspace.project

    @property
    def scope(self) -> ProjectScope:
        return make_scope(self.project, Principal.service(self.project), "service")

    @property
    def space(self) -> VectorSpace:
        model = self.resources.embedders.current
        return VectorSpace(model.name, model.dimension)

    async def put(self, *texts: str, status: str = "draft") -> list[UUID]:
        """Indexes documents with these titles, and the same words as their content; sends nothing."""
        made = [await self.workspace.put(text, text, status=status) for text in texts]
        await self.workspace.index(*made, resources=self.resources)
        return made

    async def send(self) -> None:
        """Until nothing waits, except the repetition of deletions."""
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(send_vectors(self.resources, stop))
            await until(self.all_sent)
            stop.set()

    async def all_sent(self) -> bool:
        return await self.workspace.value(UNSENT, self.project) == 0

    async def found(self, q: str, mode: str = "vector") -> tuple[str, list[str]]:
        return await titles(self.workspace, self.resources, q, mode)

    async def there(self) -> list[int]:
        return [number async for some in self.engine.numbers(self.scope, self.space) for number in some]

    async def chunks(self) -> list[int]:
        rows = await self.workspace.users.fetch("SELECT number FROM chunk WHERE project_id = $1", self.project)
        return sorted(row["number"] for row in rows)

    async def delete(self, document: UUID) -> None:
        await self.workspace.users.execute("DELETE FROM document WHERE id = $1", document)

    async def check(self) -> Difference:
        [found] = await VectorCheck(self.resources.sessions, self.engine, self.project).differences()
        return found

    async def moved(self, *, to: bool) -> None:
        """Changes the engine, as a restart does."""
        resources = self.resources if to else replace(self.resources, vector_server=None)
        await move_vectors(resources)
        await self.workspace.work(resources)


@pytest.fixture
async def stocked(
    workspace: SearchWorkspace, client: httpx2.AsyncClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Stocked]:
    """Deletes the indexes of other tests, because a change of the engine affects the whole database."""
    for name in ("POLL", "FIRST_PAUSE", "LONGEST_PAUSE"):
        monkeypatch.setattr(vector_sender, name, 0.05)
    await workspace.users.execute("DELETE FROM search_index WHERE project_id <> $1", workspace.project)
    async with qdrant_server("edge", tmp_path) as server:
        engine = Qdrant.of(client, QdrantOptions(server.url, None, "test", timedelta(seconds=60)))
        yield Stocked(workspace, replace(workspace.resources, vector_server=engine), server, engine)


async def test_a_document_is_found_before_it_is_sent_and_after(stocked: Stocked) -> None:
    [cats, *_] = await stocked.put("cats and dogs", "tax law", "the moon")
    await stocked.engine.prepare(stocked.space)
    before = await stocked.found("cats")
    assert (before[1][0], await stocked.there()) == ("cats and dogs", [])
    await stocked.send()
    assert await stocked.there() == await stocked.chunks()
    assert await stocked.found("cats") == before
    await stocked.delete(cats)
    assert "cats and dogs" not in (await stocked.found("cats"))[1]
    await stocked.send()
    assert await stocked.there() == await stocked.chunks()
    assert len(await stocked.there()) == 2


async def test_while_the_server_is_away_words_are_found_and_vectors_wait(stocked: Stocked) -> None:
    await stocked.put("tax law")
    await stocked.send()
    stocked.server.away = True
    await stocked.put("cats and dogs")
    assert await stocked.found("cats", "hybrid") == ("text", ["cats and dogs"])
    assert await stocked.found("cats") == ("vector_index_unavailable", [])
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        sender = VectorSender(stocked.resources, stocked.engine, stop)
        group.create_task(sender.run())
        await until(lambda: asyncio.sleep(0, sender.failures > 1))
        stocked.server.away = False
        await until(stocked.all_sent)
        stop.set()
    assert await stocked.there() == await stocked.chunks()
    assert (await stocked.found("cats", "hybrid"))[0] == "hybrid"


async def test_a_killed_worker_loses_nothing_and_brings_nothing_back(stocked: Stocked) -> None:
    """It claimed a vector, and its request arrives after the deletion, which another worker has sent."""
    [document] = await stocked.put("cats and dogs")
    async with stocked.resources.sessions.begin() as session:
        scope = await open_shared_scope(session, Principal.service(stocked.project), stocked.project)
        [claimed] = await VectorChanges(session, scope).claim(10)
        assert await VectorChanges(session, scope).claim(10) == []
    assert claimed.vector is not None
    await stocked.delete(document)
    await stocked.send()
    late = [Point(claimed.chunk, claimed.vector)]
    await stocked.engine.write(stocked.scope, stocked.space, late)
    async with stocked.resources.sessions.begin() as session:
        scope = await open_shared_scope(session, Principal.service(stocked.project), stocked.project)
        await VectorChanges(session, scope).confirm([claimed])
    assert await stocked.found("cats") == ("vector", [])
    await stocked.workspace.users.execute(DUE_NOW, stocked.project)
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(send_vectors(stocked.resources, stop))
        await until(lambda: nothing_left(stocked))
        stop.set()
    assert await stocked.there() == []


async def nothing_left(stocked: Stocked) -> bool:
    return await stocked.workspace.count("vector_change") == 0


async def test_what_a_server_names_wrongly_is_not_found(stocked: Stocked) -> None:
    """It ignores which project is asked for, and still has what is deleted."""
    await stocked.put("tax law")
    other = await stocked.workspace.users.person()
    theirs = replace(stocked.workspace, person=other, project=await other.project())
    await theirs.index(await theirs.put("cats and dogs", "cats and dogs"), resources=stocked.resources)
    await stocked.send()
    await replace(stocked, workspace=theirs).send()
    model = stocked.resources.embedders.current
    stray = await model.embed_query("cats")
    await stocked.engine.write(stocked.scope, stocked.space, [Point(10**15, str([float(each) for each in stray]))])
    stocked.server.open = True
    vector = str([float(each) for each in stray])
    assert len(await stocked.engine.nearest(stocked.scope, stocked.space, vector, 10)) == 3
    assert await stocked.found("cats") == ("vector", ["tax law"])
    assert (await titles(theirs, stocked.resources, "cats", "vector"))[1] == ["cats and dogs"]


async def test_a_filter_is_applied_before_the_ranking(stocked: Stocked, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server names only drafts, which are nearer than the published document."""
    monkeypatch.setattr("partywall.features.search.vector_index.MORE", Breadth(5, 5, 5))
    await stocked.put("the moon", "tax law", status="published")
    await stocked.put(*[f"cats and dogs {number}" for number in range(8)])
    await stocked.send()
    app = stocked.workspace.person.client._transport.app  # type: ignore[attr-defined]  # the application under test
    kept, app.state.resources = app.state.resources, stocked.resources
    try:
        found = await stocked.workspace.titles("cats", mode="vector", status="published")
    finally:
        app.state.resources = kept
    assert sorted(found) == ["tax law", "the moon"]


async def test_a_large_document_hides_no_other(stocked: Stocked, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server names only its passages, which are nearest."""
    few = Breadth(5, 5, 5)
    monkeypatch.setattr("partywall.features.search.vector_index.MORE", few)
    monkeypatch.setattr("partywall.features.search.one_search.NARROW", few)
    large = await stocked.workspace.put("cats", "cats and dogs " * 1_500)
    await stocked.workspace.index(large, resources=stocked.resources)
    await stocked.put("tax law", "the moon")
    assert len(await stocked.chunks()) > 7
    await stocked.send()
    assert sorted((await stocked.found("cats"))[1]) == ["cats", "tax law", "the moon"]


async def test_the_engine_changes_there_and_back(stocked: Stocked) -> None:
    """Searches find the same meanwhile; a project that is moved has no vector in two places."""
    inside = replace(stocked.resources, vector_server=None)
    made = [await stocked.workspace.put(text, text) for text in ("cats and dogs", "tax law", "the moon")]
    await stocked.workspace.index(*made)
    before = await titles(stocked.workspace, inside, "cats", "vector")
    assert await stocked.found("cats") == before
    await stocked.moved(to=True)
    await stocked.engine.prepare(stocked.space)
    assert await stocked.found("cats") == before
    await stocked.send()
    assert await stocked.there() == await stocked.chunks()
    assert await stocked.found("cats") == before == await titles(stocked.workspace, inside, "cats", "vector")
    where = "SELECT external, approximate FROM embedding WHERE project_id = $1 GROUP BY 1, 2"
    assert [tuple(row) for row in await stocked.workspace.users.fetch(where, stocked.project)] == [(True, False)]
    await stocked.moved(to=False)
    assert [tuple(row) for row in await stocked.workspace.users.fetch(where, stocked.project)] == [(False, True)]
    assert await titles(stocked.workspace, inside, "cats", "vector") == before


async def test_differences_are_proved_and_mended(stocked: Stocked) -> None:
    await stocked.put("cats and dogs", "tax law", "the moon")
    assert (await stocked.check()).waiting == 3
    await stocked.send()
    assert (await stocked.check()).is_none
    lost = (await stocked.there())[0]
    await stocked.engine.delete(stocked.scope, stocked.space, [lost])
    await stocked.engine.write(stocked.scope, stocked.space, [Point(10**15, str([1.0] * stocked.space.dimension))])
    difference = await stocked.check()
    assert (difference.missing, difference.strays, difference.held) == ([lost], [10**15], 3)
    await VectorCheck(stocked.resources.sessions, stocked.engine, stocked.project).repair(difference)
    await stocked.send()
    assert (await stocked.check()).is_none
    assert await stocked.there() == await stocked.chunks()


async def test_an_operator_verifies_and_repairs(
    stocked: Stocked, settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    database = stocked.workspace.database
    assert settings.cache.url is not None
    for name, value in {
        "DATABASE__ENGINE": "server",
        "DATABASE__URL": database.runtime,
        "DATABASE__OWNER_URL": database.owner,
        "CACHE__ENGINE": "server",
        "CACHE__URL": settings.cache.url.get_secret_value(),
        "VECTORS__ENGINE": "qdrant",
        "VECTORS__URL": stocked.server.url,
        "VECTORS__COLLECTION_PREFIX": stocked.engine.prefix,
    }.items():
        monkeypatch.setenv(name, value)
    await stocked.put("cats and dogs", "tax law")
    await stocked.send()
    absent = make_scope(UUID(int=7), Principal.service(UUID(int=7)), "service")
    await stocked.engine.write(absent, stocked.space, [Point(10**15, str([1.0] * stocked.space.dimension))])
    await stocked.engine.delete(stocked.scope, stocked.space, await stocked.there())
    for arguments, code, last in (
        (["verify"], 1, "2 differ"),
        (["repair"], 0, "2 differ: being mended"),
    ):
        assert await asyncio.to_thread(run, ("index", *arguments)) == code
        told = capsys.readouterr().out
        assert f"{stocked.project}: index of {stocked.space.model}: 2 vectors are not on the vector server\n" in told
        assert f"{absent.project_id}: the vector server has vectors of this project, which does not exist\n" in told
        assert told.endswith(f"{last}\n")
    await stocked.send()
    assert await asyncio.to_thread(run, ("index", "verify", "--project", str(stocked.project))) == 0
    assert capsys.readouterr().out == "1 indexes compared, 0 differ\n"
    assert await stocked.engine.projects(stocked.space) == {stocked.project}
    stocked.server.away = True
    assert await asyncio.to_thread(run, ("index", "verify")) == 2
    assert capsys.readouterr().err.startswith("partywall: VECTORS__URL: the vector server answered 503")


async def test_passages_without_a_vector_return_to_the_index_queue(stocked: Stocked) -> None:
    await stocked.put("cats and dogs", "tax law")
    await stocked.send()
    remove = "DELETE FROM embedding WHERE project_id = $1 AND chunk = $2"
    await stocked.workspace.users.execute(remove, stocked.project, max(await stocked.chunks()))
    difference = await stocked.check()
    assert difference.incomplete
    await VectorCheck(stocked.resources.sessions, stocked.engine, stocked.project).repair(difference)
    async with working(stocked.resources):
        await until(lambda: has_vectors(stocked, 2))
    await stocked.send()
    assert (await stocked.check()).is_none
    assert len(await stocked.there()) == 2


async def has_vectors(stocked: Stocked, count: int) -> bool:
    return await stocked.workspace.count("embedding") == count


async def test_a_deleted_project_leaves_nothing_there(stocked: Stocked) -> None:
    await stocked.put("cats and dogs")
    await stocked.send()
    await stocked.workspace.person.client.delete(f"/api/v1/projects/{stocked.project}")
    await run_due_jobs(stocked.resources, stocked.workspace.users, projects.jobs)
    assert await stocked.engine.projects(stocked.space) == set()
    left = "SELECT count(*) FROM vector_change WHERE project_id = $1"
    assert await stocked.workspace.value(left, stocked.project) == 0
