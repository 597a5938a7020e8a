"""A deleted document is invisible at once and can be restored, until its time in the trash is over."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from partywall.core.clock import utc_now
from partywall.core.db.scopes import open_shared_scope
from partywall.core.jobs.context import JobContext
from partywall.core.resources import Resources
from partywall.features.documents import blobs, purge
from partywall.features.documents.blobs import sweep_blobs
from partywall.features.documents.feature import feature
from partywall.features.documents.trash import Trash
from partywall.features.projects.jobs import ProjectDeleted
from partywall.features.projects.purge import purge_project
from partywall.settings import Settings
from partywall.testing.engines import DatabaseUrls
from partywall.testing.users import Users
from tests.features.documents.conftest import Inside, Workspace, files
from tests.features.documents.test_replaced_files import OLD, Uploads
from tests.isolation.job_runner import index
from tests.text_search import in_tables, work_off


async def deleted(workspace: Workspace, **fields: object) -> str:
    id_ = str((await workspace.document(**fields))["id"])
    assert (await workspace.client.delete(f"{workspace.url}/{id_}")).status_code == 204
    return id_


async def trash(workspace: Workspace, query: str = "") -> list[dict[str, object]]:
    items: list[dict[str, object]] = (await workspace.get(f"/trash{query}")).json()["items"]
    return items


async def later(users: Users, workspace: Workspace) -> None:
    """As if the period were over."""
    await users.execute(
        "UPDATE document SET purge_at = now() - interval '1 s' WHERE project_id = $1 AND purge_at IS NOT NULL",
        workspace.project,
    )


async def test_the_trash_is_the_projects_own(workspace: Workspace, users: Users) -> None:
    id_ = await deleted(workspace)
    other = await users.person()
    for method, path in (("GET", "/trash"), ("POST", f"/{id_}/restore"), ("DELETE", f"/{id_}?permanent=true")):
        anonymous = await workspace.client.request(method, workspace.url + path, headers={"Authorization": ""})
        assert anonymous.status_code == 401
        assert (await other.client.request(method, workspace.url + path)).status_code == 404
        theirs = f"/api/v1/projects/{await other.project()}/documents{path}"
        answer = await other.client.request(method, theirs)
        assert answer.status_code == 404 or answer.json()["items"] == []
    assert [each["id"] for each in await trash(workspace)] == [id_]


async def test_a_document_is_restored_with_all_that_it_had(
    workspace: Workspace, inside: Inside, users: Users, resources: Resources
) -> None:
    made = await workspace.document(content="harbour dues", external_id="lease", metadata={"a": 1})
    id_ = UUID(str(made["id"]))
    await workspace.client.patch(f"{workspace.url}/{id_}", json={"content": "harbour fees"})
    await index(users, resources, workspace.project, id_)
    assert (await workspace.client.delete(f"{workspace.url}/{id_}")).status_code == 204
    [thrown] = await trash(workspace)
    assert (thrown["id"], thrown["external_id"], thrown["title"]) == (str(id_), "lease", "A title")
    assert str(thrown["purge_at"]) > str(thrown["deleted_at"]) > str(thrown["created_at"])
    restored = await workspace.post(f"/{id_}/restore")
    found = restored.json()
    assert (restored.status_code, found["external_id"], found["content"]) == (200, "lease", "harbour fees")
    assert (found["metadata"], found["revision"], found["index_status"]) == ({"a": 1}, 3, "pending")
    assert (await workspace.get(f"/{id_}")).headers["etag"] == restored.headers["etag"]
    assert len((await workspace.get(f"/{id_}/versions")).json()["items"]) == 2
    assert await trash(workspace) == []
    again = await workspace.post(f"/{id_}/restore")
    assert (again.status_code, again.json()["code"]) == (404, "document_not_in_trash")
    assert [type_ for type_, _, _ in await inside.events()][-2:] == ["document.deleted", "document.restored"]


async def test_its_passages_are_removed_and_made_again(
    workspace: Workspace, users: Users, resources: Resources, database: DatabaseUrls
) -> None:
    word = f"harbour{uuid4().hex}"
    id_ = UUID(str((await workspace.document(content=word))["id"]))
    await index(users, resources, workspace.project, id_)
    await workspace.client.delete(f"{workspace.url}/{id_}")
    asked = {"q": word, "mode": "text"}
    search = f"/api/v1/projects/{workspace.project}/search"
    assert (await workspace.client.get(search, params=asked)).json()["items"] == []
    await work_off(users, resources, database, feature.jobs, workspace.project)
    assert await in_tables(users, word) == {"document": 1}
    [state] = await users.fetch("SELECT wall.has_deleted_documents($1) AS left, chunks FROM document WHERE id = $2",
                                workspace.project, id_)  # fmt: skip
    assert tuple(state) == (False, 0)
    await workspace.post(f"/{id_}/restore")
    await index(users, resources, workspace.project, id_)
    [hit] = (await workspace.client.get(search, params=asked)).json()["items"]
    assert hit["document_id"] == str(id_)


async def test_restored_before_the_passages_are_removed_it_is_found_at_once(
    workspace: Workspace, users: Users, resources: Resources, database: DatabaseUrls
) -> None:
    id_ = UUID(str((await workspace.document(content="harbour dues"))["id"]))
    await index(users, resources, workspace.project, id_)
    await workspace.client.delete(f"{workspace.url}/{id_}")
    await workspace.post(f"/{id_}/restore")
    await work_off(users, resources, database, feature.jobs, workspace.project)
    found = await workspace.client.get(f"/api/v1/projects/{workspace.project}/search", params={"q": "dues"})
    assert [hit["document_id"] for hit in found.json()["items"]] == [str(id_)]


async def test_the_external_id_is_free_at_once(workspace: Workspace) -> None:
    id_ = await deleted(workspace, external_id="lease")
    other = await workspace.document(external_id="lease")
    taken = await workspace.post(f"/{id_}/restore")
    assert (taken.status_code, taken.json()["code"]) == (409, "external_id_taken")
    await workspace.client.patch(f"{workspace.url}/{other['id']}", json={"external_id": None})
    assert (await workspace.post(f"/{id_}/restore")).json()["external_id"] == "lease"


async def test_an_upload_that_was_being_read_is_read_after_it_is_restored(
    workspace: Workspace, inside: Inside, resources: Resources
) -> None:
    uploads = Uploads(workspace, inside, resources)
    _, made = await uploads.send(OLD, "a.docx")
    await workspace.client.delete(f"{workspace.url}/{made['id']}")
    await uploads.read()
    await workspace.post(f"/{made['id']}/restore")
    await uploads.read()
    assert (await uploads.current())["content"] == "The walrus signs on Friday."


async def test_the_last_deleted_come_first_in_pages(workspace: Workspace) -> None:
    ids = [await deleted(workspace, title=f"T{n}") for n in range(5)][::-1]
    first = (await workspace.get("/trash?limit=2")).json()
    assert (first["total"], [each["id"] for each in first["items"]]) == (None, ids[:2])
    second = (await workspace.get(f"/trash?limit=2&cursor={first['next_cursor']}")).json()
    assert [each["id"] for each in second["items"]] == ids[2:4]
    counted = (await workspace.get("/trash?offset=4")).json()
    assert ([each["id"] for each in counted["items"]], counted["total"], counted["next_cursor"]) == (ids[4:], 5, None)


async def test_when_its_time_is_over_it_is_deleted_for_good(
    workspace: Workspace, users: Users, resources: Resources, database: DatabaseUrls, settings: Settings
) -> None:
    kept = await deleted(workspace)
    answer = await workspace.post("/upload", files={"file": ("a.txt", b"lighthouse")})
    id_ = answer.json()["id"]
    await workspace.client.delete(f"{workspace.url}/{id_}")
    await purge.expire_trash(resources)
    assert len(await trash(workspace)) == 2
    await users.execute("UPDATE document SET purge_at = now() - interval '1 s' WHERE id = $1", UUID(id_))
    assert (await workspace.post(f"/{id_}/restore")).status_code == 404
    await purge.expire_trash(resources)
    await work_off(users, resources, database, feature.jobs, workspace.project)
    assert await users.fetch("SELECT FROM document WHERE id = $1", UUID(id_)) == []
    assert files(settings, workspace) == []
    assert [each["id"] for each in await trash(workspace)] == [kept]


async def test_the_trash_is_emptied_in_bounded_batches_by_the_clock(
    workspace: Workspace, users: Users, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purge, "EXPIRED_AT_ONCE", 2)
    for _ in range(5):
        await deleted(workspace)
    monkeypatch.setattr(purge, "utc_now", lambda: utc_now() + timedelta(days=31))
    await purge.expire_trash(resources)
    assert len(await trash(workspace)) == 5, "a clock that is fast deletes nothing early"
    await later(users, workspace)
    monkeypatch.setattr(purge, "utc_now", lambda: utc_now() - timedelta(days=1))
    await purge.expire_trash(resources)
    left = "SELECT FROM document WHERE project_id = $1 AND purge_at IS NOT NULL"
    assert len(await users.fetch(left, workspace.project)) == 5
    monkeypatch.undo()
    await purge.expire_trash(resources)
    assert await users.fetch(left, workspace.project) == []


async def test_deleting_for_good_takes_a_right_and_empties_the_trash(workspace: Workspace, users: Users) -> None:
    editor = await users.person()
    await users.join(workspace.project, editor, "editor")
    id_ = str((await workspace.document())["id"])
    refused = await editor.client.delete(f"{workspace.url}/{id_}?permanent=true")
    assert (refused.status_code, "document.purge" in refused.json()["detail"]) == (403, True)
    assert (await editor.client.delete(f"{workspace.url}/{id_}")).status_code == 204
    assert (await editor.client.delete(f"{workspace.url}/{id_}?permanent=true")).status_code == 403
    stale = await workspace.client.delete(f"{workspace.url}/{id_}?permanent=true", headers={"If-Match": '"9-0"'})
    assert stale.status_code == 412
    assert (await workspace.client.delete(f"{workspace.url}/{id_}?permanent=true")).status_code == 204
    assert await trash(workspace) == []
    assert (await workspace.post(f"/{id_}/restore")).status_code == 404
    assert (await workspace.client.delete(f"{workspace.url}/{id_}?permanent=true")).status_code == 404


async def test_without_a_period_a_deletion_is_final(workspace: Workspace, inside: Inside, resources: Resources) -> None:
    made = (await workspace.post("/upload", files={"file": ("a.txt", b"lighthouse")})).json()["id"]
    async with resources.sessions.begin() as session:
        scope = await open_shared_scope(session, workspace.owner.principal, workspace.project)
        await Trash(session, scope, timedelta()).delete(UUID(made), None)
    assert await trash(workspace) == []
    assert (await workspace.post(f"/{made}/restore")).status_code == 404
    assert len(await inside.jobs("release_blobs")) == 1


async def test_what_is_in_the_trash_counts_until_it_is_deleted_for_good(workspace: Workspace, users: Users) -> None:
    async def used() -> tuple[int, int]:
        rows = (
            "SELECT sum(documents)::int AS documents, sum(bytes)::int AS bytes FROM project_usage WHERE project_id = $1"
        )
        [row] = await users.fetch(rows, workspace.project)
        return row["documents"], row["bytes"]

    empty = (await used())[0] or 0
    id_ = str((await workspace.document(content="a" * 100))["id"])
    before = await used()
    await workspace.client.delete(f"{workspace.url}/{id_}")
    assert await used() == before
    await workspace.post(f"/{id_}/restore")
    assert await used() == before
    await workspace.client.delete(f"{workspace.url}/{id_}")
    await workspace.client.delete(f"{workspace.url}/{id_}?permanent=true")
    assert (await used())[0] == empty


async def test_the_file_of_a_document_in_the_trash_is_kept(
    workspace: Workspace, resources: Resources, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = (await workspace.post("/upload", files={"file": ("a.txt", b"lighthouse")})).json()["id"]
    await workspace.client.delete(f"{workspace.url}/{made}")
    monkeypatch.setattr(blobs, "UNCLAIMED_FOR", timedelta(seconds=-60))
    await sweep_blobs(resources)
    assert len(files(settings, workspace)) == 1
    await workspace.post(f"/{made}/restore")
    assert (await workspace.get(f"/{made}/content?original=true")).content == b"lighthouse"


async def test_the_end_of_a_project_takes_its_trash_along(
    workspace: Workspace, users: Users, resources: Resources
) -> None:
    id_ = UUID(await deleted(workspace))
    await workspace.client.delete(f"/api/v1/projects/{workspace.project}")
    await later(users, workspace)
    await purge.expire_trash(resources)
    [row] = await users.fetch("SELECT purge_at IS NULL AS expired FROM document WHERE id = $1", id_)
    assert not row["expired"], "the project's own purge removes it"
    context = JobContext(resources, uuid4(), job_id=1, attempt=1, last=False)
    await purge_project(context, ProjectDeleted(project_id=workspace.project))
    assert await users.fetch("SELECT FROM document WHERE id = $1", id_) == []
