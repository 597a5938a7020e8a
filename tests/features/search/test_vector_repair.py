"""What differs between the database and the vector server is found, and mended."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import UUID

import pytest

from partywall.cli import run
from partywall.core.tenancy import Principal, make_scope
from partywall.core.vector_server import Point
from partywall.features.search.vector_check import VectorCheck
from partywall.settings import Settings
from partywall.testing.conditions import until
from partywall.testing.workers import working
from tests.features.search.vector_project import VectorProject


async def test_differences_are_proved_and_mended(stocked: VectorProject) -> None:
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


@pytest.fixture
def operated(stocked: VectorProject, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> VectorProject:
    """With the settings of the operator's commands in the environment."""
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
    return stocked


async def verify(*arguments: str) -> int:
    return await asyncio.to_thread(run, ("index", "verify", *arguments))


async def test_the_server_is_asked_before_anything_has_moved(
    operated: VectorProject, capsys: pytest.CaptureFixture[str]
) -> None:
    await operated.workspace.index(await operated.workspace.put("cats", "cats"))
    assert await verify() == 0
    held = "1 indexes are still held by PostgreSQL: a worker moves them to the vector server\n"
    assert capsys.readouterr().out == f"{held}1 indexes compared, 0 differ\n"
    operated.server.says = "1.15.3"
    assert await verify() == 2
    assert "Qdrant 1.15.4 or newer is needed" in capsys.readouterr().err
    operated.server.away = True
    assert await verify() == 2
    assert capsys.readouterr().err.startswith("partywall: VECTORS__URL: the vector server answered 503")


async def test_an_operator_verifies_and_repairs(operated: VectorProject, capsys: pytest.CaptureFixture[str]) -> None:
    stocked = operated
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
    assert await verify("--project", str(stocked.project)) == 0
    assert capsys.readouterr().out == "1 indexes compared, 0 differ\n"
    assert await stocked.engine.projects(stocked.space) == {stocked.project}


async def test_vectors_of_a_project_without_an_index_are_found_and_deleted(
    operated: VectorProject, capsys: pytest.CaptureFixture[str]
) -> None:
    """The model's collection is known by the index of another project."""
    person = operated.workspace.person
    other = replace(operated, workspace=replace(operated.workspace, project=await person.project("Other")))
    for each in (operated, other):
        await each.put("cats and dogs")
        await each.send()
    await operated.workspace.users.execute("DELETE FROM search_index WHERE project_id = $1", operated.project)
    assert await verify() == 1
    told = capsys.readouterr().out
    stray = f"{operated.project}: the vector server has vectors of {operated.space.model}, without an index here\n"
    assert told.endswith(f"{stray}1 indexes compared, 1 differ\n")
    assert await asyncio.to_thread(run, ("index", "repair")) == 0
    assert await operated.engine.projects(operated.space) == {other.project}
    assert await verify() == 0


async def test_an_unknown_project_is_an_error(operated: VectorProject, capsys: pytest.CaptureFixture[str]) -> None:
    assert await verify("--project", str(UUID(int=7))) == 2
    assert capsys.readouterr().err == f"partywall: --project: there is no project {UUID(int=7)}\n"


async def test_passages_without_a_vector_return_to_the_index_queue(stocked: VectorProject) -> None:
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


async def has_vectors(stocked: VectorProject, count: int) -> bool:
    return await stocked.workspace.count("embedding") == count
