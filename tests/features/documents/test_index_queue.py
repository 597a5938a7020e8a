from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import asyncpg

from partywall.core.db.scopes import open_shared_scope
from partywall.core.resources import Resources
from partywall.core.tenancy import Principal
from partywall.features.documents.index_queue import (
    ClaimedDocument,
    DueProject,
    IndexOutcome,
    Status,
    WorkKind,
    keep,
    release,
    settle,
    take,
)
from partywall.testing.engines import DatabaseUrls
from tests.features.documents.conftest import Inside, Workspace

LASTING = timedelta(minutes=1)


async def ids_of(workspace: Workspace, count: int) -> list[UUID]:
    batch = [{"title": f"T{n}", "content": f"C{n}"} for n in range(count)]
    items = (await workspace.post("/batch", json={"documents": batch})).json()["items"]
    return [UUID(item["id"]) for item in items]


async def taken(workspace: Workspace, resources: Resources, lease: UUID) -> list[ClaimedDocument]:
    due = DueProject(workspace.project, WorkKind.SMALL, workspace.owner.id)
    return await take(resources.reads, due, lease, LASTING, most=100, most_bytes=1000)


async def settled(resources: Resources, project: UUID, lease: UUID, *outcomes: IndexOutcome) -> set[UUID]:
    async with resources.sessions.begin() as session:
        scope = await open_shared_scope(session, Principal.service(project), project)
        return await settle(session, scope, lease, outcomes)


def indexed(document: UUID, version: int = 1, chunks: int = 1) -> IndexOutcome:
    return IndexOutcome(document, version, None, Status.INDEXED, None, chunks)


async def test_the_worker_takes_its_own_projects_texts(workspace: Workspace, resources: Resources) -> None:
    one, two = await ids_of(workspace, 2)
    await ids_of(Workspace(await workspace.owner.project(), workspace.owner), 1)
    found = await taken(workspace, resources, uuid4())
    assert {(each.id, each.title, each.content, each.version, each.attempts) for each in found} == {
        (one, "T0", "C0", 1, 1),
        (two, "T1", "C1", 1, 1),
    }


async def test_progress_shows_without_being_an_edit(workspace: Workspace, inside: Inside, resources: Resources) -> None:
    one, two = await ids_of(workspace, 2)
    before, lease = await workspace.get(f"/{one}"), uuid4()
    _, other = await taken(workspace, resources, lease)
    failed = IndexOutcome.of(other, Status.FAILED, "no\x00 model" + "x" * 2000)
    assert await settled(resources, workspace.project, lease, indexed(one, chunks=4), failed) == {one, two}
    after = await workspace.get(f"/{one}")
    assert after.json() == {**before.json(), "index_status": "indexed"}
    assert after.headers["etag"] != before.headers["etag"]
    edit = await workspace.client.patch(
        f"{workspace.url}/{one}", json={"status": "published"}, headers={"If-Match": before.headers["etag"]}
    )
    assert edit.status_code == 200
    shown = (await workspace.get(f"/{two}")).json()
    assert shown["index_status"] == "failed"
    assert shown["index_error"].startswith("no model")
    stats = (await workspace.get("/stats")).json()
    assert (stats["chunks"], stats["by_index_status"]) == (4, {"pending": 0, "indexed": 1, "failed": 1})
    told = [(type_, subject, data.get("version")) for type_, subject, data in await inside.events()][2:4]
    assert told == [("document.indexed", str(one), 1), ("document.failed", str(two), 1)]
    rows = await inside.users.fetch("SELECT DISTINCT actor FROM event WHERE type IN ('document.indexed')")
    assert f"service:{workspace.project}" in {row["actor"] for row in rows}


async def test_what_changed_meanwhile_is_not_marked_and_waits_anew(
    workspace: Workspace, inside: Inside, resources: Resources
) -> None:
    one, two = await ids_of(workspace, 2)
    lease = uuid4()
    await taken(workspace, resources, lease)
    await workspace.client.patch(f"{workspace.url}/{one}", json={"content": "newer"})
    await workspace.client.patch(f"{workspace.url}/{two}", json={"status": "published"})
    events = len(await inside.events())
    assert await taken(workspace, resources, uuid4()) == [], "documents with a lease must not be taken"
    done = [indexed(one), indexed(two), indexed(uuid4())]
    assert await settled(resources, workspace.project, lease, *done) == {two}
    assert (await workspace.get(f"/{one}")).json()["index_status"] == "pending"
    assert (await workspace.get(f"/{two}")).json()["index_status"] == "indexed"
    assert len(await inside.events()) == events + 1
    assert [(each.id, each.content) for each in await taken(workspace, resources, uuid4())] == [(one, "newer")]


async def test_workers_settling_the_same_documents_do_not_lock_each_other_out(
    workspace: Workspace, resources: Resources
) -> None:
    ids, lease = await ids_of(workspace, 20), uuid4()
    await taken(workspace, resources, lease)
    marked = await asyncio.gather(
        *(
            settled(resources, workspace.project, lease, *map(indexed, ids if turn % 2 else ids[::-1]))
            for turn in range(4)
        )
    )
    assert sorted(map(len, marked)) == [0, 0, 0, 20]
    assert (await workspace.get("/stats")).json()["by_index_status"]["indexed"] == 20


async def test_the_worker_of_another_project_takes_and_ends_nothing(workspace: Workspace, resources: Resources) -> None:
    [one] = await ids_of(workspace, 1)
    other, lease = await workspace.owner.project(), uuid4()
    await taken(workspace, resources, lease)
    assert await settled(resources, other, lease, indexed(one)) == set()
    async with resources.sessions.begin() as session:
        scope = await open_shared_scope(session, Principal.service(other), other)
        assert await keep(session, scope, lease, [one], LASTING) == {}
        await release(session, scope, lease, [one], timedelta(), counted=False)
    assert await taken(workspace, resources, uuid4()) == [], "the lease must still be valid"
    assert await settled(resources, workspace.project, lease, indexed(one)) == {one}, (
        "control: the right project can settle it"
    )


async def test_who_may_not_write_takes_nothing(workspace: Workspace, resources: Resources) -> None:
    await ids_of(workspace, 1)
    sql = "SELECT * FROM wall.claim_documents($1, $2, 'small', $3, $4, 10, 1000)"
    for outsider in (f"user:{uuid4()}", f"service:{await workspace.owner.project()}", ""):
        assert await resources.reads.fetch(sql, outsider, workspace.project, uuid4(), LASTING) == []
    assert len(await taken(workspace, resources, uuid4())) == 1


async def test_a_batch_reads_its_own_rows_however_many_wait(workspace: Workspace, database: DatabaseUrls) -> None:
    """Also before ANALYZE has seen the project, and with generic and custom plans."""
    read = "SELECT coalesce(idx_tup_fetch, 0) + seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = 'document'"
    fill = """
        INSERT INTO document (project_id, title, content, size, content_sha256, created_by, index_status)
        SELECT $1, 'T' || n, '', 0, '', 'user:', CASE WHEN n % 2 = 0 THEN 'indexed' ELSE 'pending' END
        FROM generate_series(1, 4000) AS n
    """
    settling = """
        SELECT count(*) FROM wall.settle_documents($1, $2, $3, array_fill(1, ARRAY[10]),
            array_fill(NULL::text, ARRAY[10]), array_fill('indexed'::text, ARRAY[10]),
            array_fill(NULL::text, ARRAY[10]), array_fill(1, ARRAY[10]))
    """
    principal, lease = f"service:{workspace.project}", uuid4()
    connection = await asyncpg.connect(DatabaseUrls.dsn(database.runtime))
    try:
        for mode in ("force_custom_plan", "force_generic_plan"):
            transaction = connection.transaction()
            await transaction.start()
            await connection.execute("SELECT set_config('plan_cache_mode', $1, true)", mode)
            await connection.execute("SELECT wall.open_shared_scope($1, $2)", principal, workspace.project)
            await connection.execute(fill, workspace.project)
            before = await connection.fetchval(read)
            taking = "SELECT id FROM wall.claim_documents($1, $2, 'small', $3, '1 min', 10, 1000)"
            ids = [row["id"] for row in await connection.fetch(taking, principal, workspace.project, lease)]
            await connection.fetch("SELECT FROM wall.projects_to_index(true, $1, 1000)", UUID(int=0))
            assert await connection.fetchval(settling, workspace.project, lease, ids) == len(ids) == 10
            assert await connection.fetchval(read) - before < 1000, mode
            await transaction.rollback()
    finally:
        await connection.close()
