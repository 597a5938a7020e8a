"""Search with a vector server: what is committed gets there, what is deleted leaves it, and nothing else is found."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from partywall.core.db.scopes import open_shared_scope
from partywall.core.tenancy import Principal
from partywall.core.vector_server import Point
from partywall.features.projects.feature import feature as projects
from partywall.features.search.constants import Breadth
from partywall.features.search.vector_change_repository import VectorChanges
from partywall.features.search.vector_sender import VectorSender, send_vectors
from partywall.testing.conditions import until
from partywall.testing.workers import run_due_jobs
from tests.features.search.search_workspace import titles
from tests.features.search.vector_project import VectorProject

DUE_NOW = "UPDATE vector_change SET due_at = now() WHERE project_id = $1"


async def test_a_document_is_found_before_it_is_sent_and_after(stocked: VectorProject) -> None:
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


async def test_while_the_server_is_away_words_are_found_and_vectors_wait(stocked: VectorProject) -> None:
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


async def test_a_killed_worker_loses_nothing_and_brings_nothing_back(stocked: VectorProject) -> None:
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


async def nothing_left(stocked: VectorProject) -> bool:
    return await stocked.workspace.count("vector_change") == 0


async def test_what_a_server_names_wrongly_is_not_found(stocked: VectorProject) -> None:
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


async def test_a_filter_is_applied_before_the_ranking(stocked: VectorProject, monkeypatch: pytest.MonkeyPatch) -> None:
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


async def test_a_large_document_hides_no_other(stocked: VectorProject, monkeypatch: pytest.MonkeyPatch) -> None:
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


async def test_the_engine_changes_there_and_back(stocked: VectorProject) -> None:
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


async def test_a_deleted_project_leaves_nothing_there(stocked: VectorProject) -> None:
    await stocked.put("cats and dogs")
    await stocked.send()
    await stocked.workspace.person.client.delete(f"/api/v1/projects/{stocked.project}")
    await run_due_jobs(stocked.resources, stocked.workspace.users, projects.jobs)
    assert await stocked.engine.projects(stocked.space) == set()
    left = "SELECT count(*) FROM vector_change WHERE project_id = $1"
    assert await stocked.workspace.value(left, stocked.project) == 0
