"""A deleted document disappears at once, whatever its size, and is purged in batches."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from partywall.core.jobs.context import JobContext
from partywall.core.resources import Resources
from partywall.features.documents.feature import feature
from partywall.features.documents.jobs import PurgeDocument
from partywall.features.documents.purge import purge_document, sweep_documents
from partywall.features.search import one_search as searching
from partywall.features.search.constants import Breadth
from partywall.testing.engines import DatabaseUrls
from partywall.testing.users import Users
from tests.features.documents.conftest import Inside, Workspace
from tests.isolation.job_runner import index, run_job
from tests.text_search import in_cache, in_files, in_tables, work_off

KEY = {"Idempotency-Key": "once"}


async def marked(workspace: Workspace, word: str, **fields: object) -> UUID:
    """A deleted document with two versions, an external id and a stored answer."""
    body = {
        "title": "A title",
        "content": f"{word} first",
        "metadata": {"note": word},
        "external_id": "lease",
        **fields,
    }
    made = await workspace.post(json=body, headers=KEY)
    assert made.status_code == 201, made.text
    id_ = UUID(made.json()["id"])
    changed = await workspace.client.patch(f"{workspace.url}/{id_}", json={"content": f"{word} second"})
    assert changed.status_code == 200
    return id_


async def test_nothing_of_it_remains(
    workspace: Workspace, users: Users, resources: Resources, database: DatabaseUrls
) -> None:
    word = f"marker{uuid4().hex}"
    id_ = await marked(workspace, word)
    batch = {"documents": [{"title": "b", "content": "c", "metadata": {"note": word}} for _ in range(2)]}
    copies = (await workspace.post("/batch", json=batch, headers=KEY)).json()["items"]
    sent = {"file": ("a.txt", word.encode(), "text/plain")}
    uploaded = (await workspace.post("/upload", files=sent, headers=KEY)).json()["id"]
    await index(users, resources, workspace.project, id_, UUID(uploaded))
    before = await in_tables(users, word)
    stored = {"document": 4, "document_value": 3, "document_text": 1, "chunk": 2, "posting": 2, "idempotency_key": 3}
    assert before == stored
    for each in (id_, uploaded, *(clone["id"] for clone in copies)):
        assert (await workspace.client.delete(f"{workspace.url}/{each}?permanent=true")).status_code == 204
    await work_off(users, resources, database, feature.jobs, workspace.project)
    assert await in_tables(users, word) == {}
    assert in_files(resources.settings.blob_directory, word) == []
    assert await in_cache(resources.cache, word) == []


async def test_it_is_gone_before_it_is_purged(workspace: Workspace, users: Users, resources: Resources) -> None:
    id_ = await marked(workspace, "harbour")
    other = (await workspace.document(title="Other", content="harbour dues"))["id"]
    await index(users, resources, workspace.project, id_, UUID(str(other)))
    at = f"/{id_}"
    assert (await workspace.client.delete(workspace.url + at)).status_code == 204
    for path in (at, f"{at}/content", f"{at}/content?original=true", f"{at}/versions", f"{at}/versions/1"):
        assert (await workspace.get(path)).status_code == 404, path
    for method, path, body in (
        ("PATCH", at, {"title": "x"}), ("PUT", at, {"title": "x", "content": "y"}), ("DELETE", at, None),
        ("POST", f"{at}/reindex", None), ("POST", f"{at}/versions/1/restore", None),
    ):  # fmt: skip
        assert (await workspace.client.request(method, workspace.url + path, json=body)).status_code == 404, (
            method,
            path,
        )
    listed = (await workspace.get("?offset=0")).json()
    assert ([each["id"] for each in listed["items"]], listed["total"]) == ([other], 1)
    assert (await workspace.get("?external_id=lease")).json()["items"] == []
    assert (await workspace.get("/stats")).json()["total"] == 1
    replayed = await workspace.post(json={"title": "A title", "content": "harbour first",
        "metadata": {"note": "harbour"},
                                      "external_id": "lease"}, headers=KEY)  # fmt: skip
    assert (replayed.status_code, replayed.json()["code"]) == (404, "not_found")
    again = await workspace.document(title="Again", external_id="lease")
    assert again["external_id"] == "lease"


async def test_a_search_finds_the_others_while_it_is_purged(
    workspace: Workspace, users: Users, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if many of its passages would rank first."""
    monkeypatch.setattr(searching, "NARROW", Breadth(5, 5, 5))
    monkeypatch.setattr(searching, "WIDE", Breadth(10, 10, 10))
    large = UUID(str((await workspace.document(content="harbour dues. " * 4_000))["id"]))
    other = UUID(str((await workspace.document(content="Dues of the harbour, and much else besides."))["id"]))
    await index(users, resources, workspace.project, large, other)
    await workspace.client.delete(f"{workspace.url}/{large}?permanent=true")
    [[chunks]] = await users.fetch("SELECT count(*) FROM chunk WHERE document_id = $1", large)
    assert chunks > 10
    for mode in ("text", "vector", "hybrid"):
        asked = {"q": "harbour dues", "mode": mode, "group": "chunk", "limit": "10"}
        found = await workspace.client.get(f"/api/v1/projects/{workspace.project}/search", params=asked)
        assert {item["document_id"] for item in found.json()["items"]} == {str(other)}, mode


async def purge(users: Users, resources: Resources, workspace: Workspace, id_: UUID) -> None:
    payload = PurgeDocument(project_id=workspace.project, principal=f"service:{workspace.project}", document_id=id_)
    await run_job(users, resources, "purge_document", payload)


async def test_only_a_marked_document_is_purged(workspace: Workspace, users: Users, resources: Resources) -> None:
    kept, gone = [UUID(str((await workspace.document())["id"])) for _ in range(2)]
    await workspace.client.delete(f"{workspace.url}/{gone}?permanent=true")
    for id_ in (kept, gone, gone, uuid4()):
        await purge(users, resources, workspace, id_)
    rows = await users.fetch("SELECT id FROM document WHERE project_id = $1", workspace.project)
    assert [row["id"] for row in rows] == [kept]


async def test_it_is_purged_in_bounded_batches(workspace: Workspace, users: Users, resources: Resources) -> None:
    """Bounded by rows, and for versions by bytes."""
    id_ = UUID(str((await workspace.document(content="harbour dues. " * 12_000))["id"]))
    for n in range(4):
        await workspace.client.patch(f"{workspace.url}/{id_}", json={"content": f"{n}" * 10_000})
    await index(users, resources, workspace.project, id_)
    await workspace.client.delete(f"{workspace.url}/{id_}?permanent=true")
    removed: list[int] = []
    while not removed or removed[-1]:
        async with resources.reads.acquire() as connection, connection.transaction():
            await connection.fetchval(
                "SELECT wall.open_shared_scope($1, $2)", f"service:{workspace.project}", workspace.project
            )
            removed.append(await connection.fetchval("SELECT wall.purge_document($1, 3, 15000)", id_))
    assert max(removed) <= 3
    assert sum(removed[-4:]) <= 5  # the document, and at most two versions per 15 kB
    assert await users.fetch("SELECT FROM chunk WHERE document_id = $1", id_) == []


async def test_a_purge_that_was_lost_is_enqueued_again_once(
    workspace: Workspace, inside: Inside, users: Users, resources: Resources
) -> None:
    id_ = (await workspace.document())["id"]
    await workspace.client.delete(f"{workspace.url}/{id_}?permanent=true")
    assert len(await inside.jobs("purge_document")) == 1
    await users.execute("DELETE FROM job WHERE kind = 'purge_document'")
    for _ in range(2):
        await sweep_documents(resources)
        assert [job["document_id"] for job in await inside.jobs("purge_document")] == [id_]


async def test_indexing_after_the_deletion_stores_nothing(
    workspace: Workspace, users: Users, resources: Resources
) -> None:
    id_ = UUID(str((await workspace.document())["id"]))
    await workspace.client.delete(f"{workspace.url}/{id_}?permanent=true")
    await index(users, resources, workspace.project, id_)
    assert await users.fetch("SELECT FROM chunk WHERE document_id = $1", id_) == []


async def test_a_worker_that_stops_leaves_the_rest_to_another(
    workspace: Workspace, users: Users, resources: Resources
) -> None:
    id_ = UUID(str((await workspace.document())["id"]))
    await workspace.client.delete(f"{workspace.url}/{id_}?permanent=true")
    context = JobContext(resources, uuid4(), job_id=1, attempt=1, last=False)
    context.stopping.set()
    payload = PurgeDocument(project_id=workspace.project, principal=f"service:{workspace.project}", document_id=id_)
    with pytest.raises(Exception, match="is stopping"):
        await purge_document(context, payload)
    assert len(await users.fetch("SELECT FROM document WHERE id = $1", id_)) == 1
