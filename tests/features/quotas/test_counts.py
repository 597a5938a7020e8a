"""The counters match the stored data after any sequence of changes."""

from __future__ import annotations

import random
from uuid import UUID, uuid4

from partywall.core.db import engine as engines
from partywall.core.db.session import Sessions
from partywall.core.jobs.context import JobContext
from partywall.core.resources import Resources
from partywall.core.tenancy import Principal
from partywall.features.documents.jobs import PURGE_DOCUMENT, PurgeDocument
from partywall.features.projects.jobs import ProjectDeleted
from partywall.features.projects.purge import purge_project
from partywall.features.quotas import operations
from partywall.testing.engines import DatabaseUrls
from tests.features.quotas.conftest import Limited
from tests.isolation.job_runner import run_job


async def test_a_mix_of_everything(limited: Limited, resources: Resources, database: DatabaseUrls) -> None:
    chance = random.Random(8)
    await limited.limit(documents=12, bytes=4_000, versions_per_document=3)
    alive: list[str] = []
    for step in range(90):
        await act(limited, alive, chance, step)
        if step % 10 == 9:
            await counted_as_it_is(limited, len(alive))
        if step % 30 == 29:
            await purge(limited, resources)
    counted = await counted_as_it_is(limited, len(alive))
    assert await recount(limited, database) is False
    await limited.users.execute("UPDATE project_usage SET bytes = bytes + 7 WHERE project_id = $1", limited.project)
    assert await recount(limited, database) is True
    assert await limited.stored() == counted
    await counted_as_it_is(limited, len(alive))


async def counted_as_it_is(limited: Limited, documents: int) -> dict[str, int]:
    counted = await limited.stored()
    assert (counted["documents"], counted["bytes"]) == (counted["true_documents"], counted["true_bytes"])
    assert counted["documents"] == documents
    marked = await limited.marked()
    assert (marked["documents"], marked["bytes"]) == (marked["true_documents"], marked["true_bytes"])
    return counted


async def purge(limited: Limited, resources: Resources) -> int:
    """Purges the marked documents; returns their number."""
    marked = "SELECT id FROM document WHERE project_id = $1 AND deleted_at IS NOT NULL"
    to_delete = [row["id"] for row in await limited.users.fetch(marked, limited.project)]
    for id_ in to_delete:
        payload = PurgeDocument(
            project_id=limited.project, principal=str(Principal.service(limited.project)), document_id=id_
        )
        await run_job(limited.users, resources, PURGE_DOCUMENT.name, payload)
    assert await limited.users.fetch(marked, limited.project) == []
    return len(to_delete)


async def act(limited: Limited, alive: list[str], chance: random.Random, step: int) -> None:
    documents, client = f"{limited.url}/documents", limited.client
    content = "é" * chance.randint(0, 60)
    chosen = chance.choice(alive) if alive else str(uuid4())
    match chance.randint(0, 10):
        case 0 | 1:
            answer = await limited.document(content, metadata={"k": content[:9]})
            alive += [answer.json()["id"]] if answer.status_code == 201 else []
        case 2:
            copies = [{"title": "t", "content": content, "external_id": "same" if step % 2 else None}] * 2
            answer = await limited.post("/documents/batch", {"documents": copies})
            alive += [each["id"] for each in answer.json()["items"]] if answer.status_code == 201 else []
        case 3:
            file = {"file": ("a.txt", content.encode(), "text/plain")}
            answer = await client.post(f"{documents}/upload", files=file)
            alive += [answer.json()["id"]] if answer.status_code == 201 else []
        case 4 | 5 | 6:
            await client.patch(f"{documents}/{chosen}", json={"content": content, "title": f"T{step}"})
        case 10:
            keyed = {"Idempotency-Key": f"k{step % 7}"}
            answer = await client.post(documents, json={"title": "t", "content": content}, headers=keyed)
            alive += [answer.json()["id"]] if answer.status_code == 201 else []
            await limited.users.execute("DELETE FROM idempotency_key WHERE project_id = $1 AND key = 'k3'",
                limited.project)  # fmt: skip
        case 7:
            newest = (await client.get(f"{documents}/{chosen}")).json().get("version", 1)
            await client.post(f"{documents}/{chosen}/versions/{max(1, newest - 1)}/restore")
        case 8:
            await client.put(f"{documents}/{chosen}", json={"title": "t", "content": content, "metadata": {"a": 1}})
        case _:
            if alive:
                assert (await client.delete(f"{documents}/{chosen}?permanent=true")).status_code == 204
                alive.remove(chosen)


async def recount(limited: Limited, database: DatabaseUrls) -> bool:
    engine = engines.create_engine(database.owner, pool_size=1, overflow=0, settings={})
    try:
        async with Sessions(engine).begin() as session:
            return await operations.recount(session, limited.project)
    finally:
        await engine.dispose()


async def test_a_restored_text_counts_once(limited: Limited, database: DatabaseUrls) -> None:
    made = (await limited.document("a" * 1000)).json()["id"]
    document = f"{limited.url}/documents/{made}"
    assert (await limited.client.patch(document, json={"content": "b" * 10})).status_code == 200
    both = await limited.used("bytes")
    for number in (1, 2, 1):
        assert (await limited.client.post(f"{document}/versions/{number}/restore")).status_code == 200
        assert await limited.used("bytes") == both
    await counted_as_it_is(limited, 1)
    assert await recount(limited, database) is False
    contents = [(await limited.client.get(f"{document}/versions/{n}")).json()["content"][0] for n in range(1, 6)]
    assert contents == ["a", "b", "a", "b", "a"]


async def test_writers_do_not_wait_for_one_another_to_count(limited: Limited, resources: Resources) -> None:
    """An open transaction locks one counter slot; others use another slot."""
    await limited.document()
    async with limited.users.transaction() as holding:
        await holding.execute("SELECT FROM project_usage WHERE project_id = $1 FOR UPDATE", limited.project)
        assert (await limited.document()).status_code == 201
        assert await limited.used("documents") == 2
    for _ in range(5):
        await limited.document()
    rows = await limited.users.fetch("SELECT slot FROM project_usage WHERE project_id = $1", limited.project)
    assert len(rows) == 2


async def test_a_deleted_document_frees_its_bytes_at_once_and_once(limited: Limited, resources: Resources) -> None:
    """With its versions and stored answers. The purge changes no counter."""
    kept = await limited.document("kept")
    before = await limited.stored()
    made = await limited.client.post(
        f"{limited.url}/documents", json={"title": "t", "content": "é" * 50}, headers={"Idempotency-Key": "k"}
    )
    at = f"{limited.url}/documents/{made.json()['id']}"
    assert (await limited.client.patch(at, json={"content": "b" * 30})).status_code == 200
    assert (await limited.stored())["bytes"] == before["bytes"] + 100 + 30 + len("{}") + len(made.content)
    assert (await limited.client.delete(f"{at}?permanent=true")).status_code == 204
    assert await limited.stored() == before
    assert (await limited.client.delete(at)).status_code == 404
    assert await purge(limited, resources) == 1
    assert await limited.stored() == before
    assert (await limited.client.get(f"{limited.url}/documents/{kept.json()['id']}")).status_code == 200


async def test_a_recount_leaves_out_what_waits_to_be_purged(
    limited: Limited, resources: Resources, database: DatabaseUrls
) -> None:
    made = (await limited.document("a text")).json()["id"]
    assert (await limited.client.delete(f"{limited.url}/documents/{made}?permanent=true")).status_code == 204
    assert await recount(limited, database) is False
    assert await purge(limited, resources) == 1
    assert await recount(limited, database) is False
    assert await counted_as_it_is(limited, 0)


async def test_a_mark_that_is_rolled_back_gives_nothing_back(limited: Limited) -> None:
    made = (await limited.document("a text")).json()["id"]
    before = await limited.stored()
    mark = "UPDATE document SET deleted_at = {} WHERE project_id = $1 AND id = $2"
    async with limited.users.transaction() as writing:
        await writing.execute("SAVEPOINT before")
        await writing.execute(mark.format("now()"), limited.project, UUID(made))
        await writing.execute("ROLLBACK TO before")
    assert await limited.stored() == before
    await limited.users.execute(mark.format("now()"), limited.project, UUID(made))
    await counted_as_it_is(limited, 0)
    await limited.users.execute(mark.format("NULL"), limited.project, UUID(made))
    assert await limited.stored() == before


async def test_the_end_of_a_project_leaves_no_count(limited: Limited, resources: Resources) -> None:
    await limited.document("a text")
    marked = (await limited.document("another")).json()["id"]
    assert (await limited.client.delete(f"{limited.url}/documents/{marked}?permanent=true")).status_code == 204
    assert (await limited.client.delete(limited.url)).status_code == 204
    context = JobContext(resources, uuid4(), job_id=1, attempt=1, last=False)
    await purge_project(context, ProjectDeleted(project_id=limited.project))
    for table in ("project_usage", "project_quota", "document_text", "document"):
        rows = await limited.users.fetch(f"SELECT FROM {table} WHERE project_id = $1", limited.project)
        assert rows == [], table
