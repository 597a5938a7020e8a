from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

from partywall.core.resources import Resources
from partywall.core.tenancy import Principal, enter_project
from partywall.features.documents.indexing import (
    Indexed,
    ids_in_project,
    mark_failed,
    mark_indexed,
    texts_to_index,
)
from tests.features.documents.conftest import Inside, Shelf


async def ids_of(shelf: Shelf, count: int) -> list[UUID]:
    batch = [{"title": f"T{n}", "content": f"C{n}"} for n in range(count)]
    items = (await shelf.post("/batch", json={"documents": batch})).json()["items"]
    return [UUID(item["id"]) for item in items]


async def test_the_worker_reads_its_own_projects_texts(shelf: Shelf, resources: Resources) -> None:
    one, two, three = await ids_of(shelf, 3)
    foreign = Shelf(await shelf.owner.project(), shelf.owner)
    [other] = await ids_of(foreign, 1)
    async with resources.sessions.read() as session:
        scope = await enter_project(session, Principal.service(shelf.project), shelf.project)
        texts = await texts_to_index(session, scope, [one, three, other, uuid4()])
        assert {(each.id, each.title, each.content, each.version) for each in texts} == {
            (one, "T0", "C0", 1),
            (three, "T2", "C2", 1),
        }
        assert await ids_in_project(session, scope, after=None, limit=2) == [one, two]
        assert await ids_in_project(session, scope, after=two, limit=2) == [three]
        assert await texts_to_index(session, scope, []) == []


async def test_progress_shows_without_being_an_edit(shelf: Shelf, inside: Inside, resources: Resources) -> None:
    one, two = await ids_of(shelf, 2)
    before = await shelf.get(f"/{one}")
    async with resources.sessions.begin() as session:
        scope = await enter_project(session, Principal.service(shelf.project), shelf.project)
        assert await mark_indexed(session, scope, resources.announcer, [Indexed(one, 1, 4)]) == {one}
        assert await mark_failed(session, scope, resources.announcer, two, 1, "no\x00 model" + "x" * 2000)
    after = await shelf.get(f"/{one}")
    assert after.json() == {**before.json(), "index_status": "indexed"}
    assert after.headers["etag"] != before.headers["etag"]
    edit = await shelf.client.patch(
        f"{shelf.url}/{one}", json={"status": "published"}, headers={"If-Match": before.headers["etag"]}
    )
    assert edit.status_code == 200
    failed = (await shelf.get(f"/{two}")).json()
    assert failed["index_status"] == "failed"
    assert failed["index_error"].startswith("no model")
    stats = (await shelf.get("/stats")).json()
    assert (stats["chunks"], stats["by_index_status"]) == (4, {"pending": 0, "indexed": 1, "failed": 1})
    told = [(type_, subject, data.get("version")) for type_, subject, data in await inside.events()][2:4]
    assert told == [("document.indexed", str(one), 1), ("document.failed", str(two), 1)]
    rows = await inside.people.fetch("SELECT DISTINCT actor FROM event WHERE type IN ('document.indexed')")
    assert f"service:{shelf.project}" in {row["actor"] for row in rows}


async def test_what_changed_meanwhile_is_not_marked(shelf: Shelf, inside: Inside, resources: Resources) -> None:
    one, two = await ids_of(shelf, 2)
    await shelf.client.patch(f"{shelf.url}/{one}", json={"content": "newer"})
    await shelf.client.patch(f"{shelf.url}/{two}", json={"status": "published"})
    events = len(await inside.events())
    async with resources.sessions.begin() as session:
        scope = await enter_project(session, Principal.service(shelf.project), shelf.project)
        done = [Indexed(one, 1, 1), Indexed(two, 1, 1), Indexed(uuid4(), 1, 1)]
        assert await mark_indexed(session, scope, resources.announcer, done) == {two}
        assert not await mark_failed(session, scope, resources.announcer, one, 1, "late")
        assert await mark_indexed(session, scope, resources.announcer, []) == set()
    assert (await shelf.get(f"/{one}")).json()["index_status"] == "pending"
    assert (await shelf.get(f"/{two}")).json()["index_status"] == "indexed"
    assert len(await inside.events()) == events + 1


async def test_workers_marking_the_same_documents_do_not_lock_each_other_out(
    shelf: Shelf, resources: Resources
) -> None:
    ids = await ids_of(shelf, 20)

    async def mark(order: list[UUID]) -> None:
        async with resources.sessions.begin() as session:
            scope = await enter_project(session, Principal.service(shelf.project), shelf.project)
            await mark_indexed(session, scope, resources.announcer, [Indexed(each, 1, 1) for each in order])

    await asyncio.gather(*(mark(ids if turn % 2 else ids[::-1]) for turn in range(4)))
    assert (await shelf.get("/stats")).json()["by_index_status"]["indexed"] == 20


async def test_no_service_of_another_project_enters(shelf: Shelf, resources: Resources) -> None:
    [one] = await ids_of(shelf, 1)
    other = await shelf.owner.project()
    async with resources.sessions.begin() as session:
        scope = await enter_project(session, Principal.service(other), other)
        assert await texts_to_index(session, scope, [one]) == []
        assert await mark_indexed(session, scope, resources.announcer, [Indexed(one, 1, 1)]) == set()
