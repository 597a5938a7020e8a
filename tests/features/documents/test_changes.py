from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from uuid import UUID, uuid4

import pytest

from partywall.features.documents.repository import DocumentWriter
from tests.features.documents.conftest import Inside, Workspace


async def test_a_patch_merges(workspace: Workspace, inside: Inside) -> None:
    made = await workspace.document(metadata={"a": 1, "b": {"c": 1, "d": 2}, "e": [1]}, external_id="x")
    url = f"{workspace.url}/{made['id']}"
    await inside.users.execute("UPDATE document SET index_status = 'indexed' WHERE project_id = $1", workspace.project)
    patch = {"status": "published", "metadata": {"a": None, "b": {"c": None, "n": True}, "e": [2], "new": {"x": None}}}
    answer = await workspace.client.patch(url, json=patch)
    changed = answer.json()
    assert answer.status_code == 200
    assert changed["metadata"] == {"b": {"d": 2, "n": True}, "e": [2], "new": {}}
    assert (changed["status"], changed["title"], changed["external_id"]) == ("published", made["title"], "x")
    assert (changed["revision"], changed["version"]) == (2, 1)
    assert changed["updated_at"] > made["updated_at"]
    assert (await workspace.client.get(url)).json() == changed
    cleared = (await workspace.client.patch(url, json={"external_id": None, "metadata": None})).json()
    assert (cleared["external_id"], cleared["metadata"]) == (None, {})
    assert cleared["index_status"] == "indexed", "neither field is indexed"


async def test_new_text_is_a_new_version_and_is_indexed_again(workspace: Workspace, inside: Inside) -> None:
    made = await workspace.document()
    url = f"{workspace.url}/{made['id']}"
    await inside.users.execute("UPDATE document SET index_status = 'failed', index_error = 'why'")
    changed = (await workspace.client.patch(url, json={"content": "Zażółć"})).json()
    assert (changed["revision"], changed["version"]) == (2, 2)
    assert (changed["index_status"], changed["index_error"]) == ("pending", None)
    assert changed["size"] == len("Zażółć".encode())
    assert changed["content_sha256"] == hashlib.sha256("Zażółć".encode()).hexdigest()
    retitled = (await workspace.client.patch(url, json={"title": " New "})).json()
    assert (retitled["title"], retitled["version"]) == ("New", 3)
    assert await inside.pending() == [made["id"]]


async def test_what_changes_nothing_leaves_no_trace(workspace: Workspace, inside: Inside) -> None:
    made = await workspace.document(metadata={"n": 1})
    same = {"title": " A title ", "content": made["content"], "metadata": {"n": 1}, "status": "draft"}
    for body in ({}, same):
        answer = await workspace.client.patch(f"{workspace.url}/{made['id']}", json=body)
        assert answer.json() == made
    assert [type_ for type_, _, _ in await inside.events()] == ["document.created"]
    other = await workspace.client.patch(f"{workspace.url}/{made['id']}", json={"metadata": {"n": True}})
    assert other.json()["metadata"] == {"n": True}


async def test_put_replaces_everything(workspace: Workspace) -> None:
    made = await workspace.document(metadata={"a": 1}, external_id="x", status="published")
    answer = await workspace.client.put(f"{workspace.url}/{made['id']}", json={"title": "T", "content": "C"})
    replaced = answer.json()
    assert answer.status_code == 200
    assert (replaced["title"], replaced["content"], replaced["metadata"]) == ("T", "C", {})
    assert (replaced["external_id"], replaced["status"], replaced["version"]) == (None, "draft", 2)
    assert (replaced["id"], replaced["created_at"]) == (made["id"], made["created_at"])


@pytest.mark.parametrize(
    "body",
    [
        {"title": None}, {"title": ""}, {"content": None}, {"status": None}, {"status": "x"}, {"metadata": 1},
        {"id": "x"}, {"external_id": ""}, {"revision": 4}, {"metadata": {"a": "x" * 70_000}}, [], {"content": "\x00"},
    ],
)  # fmt: skip
async def test_a_bad_patch_is_refused(workspace: Workspace, body: object) -> None:
    made = await workspace.document()
    answer = await workspace.client.patch(f"{workspace.url}/{made['id']}", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert (await workspace.get(f"/{made['id']}")).json() == made


async def test_metadata_cannot_grow_past_its_limit_by_patches(workspace: Workspace) -> None:
    made = await workspace.document(metadata={"a": "x" * 40_000})
    answer = await workspace.client.patch(f"{workspace.url}/{made['id']}", json={"metadata": {"b": "x" * 40_000}})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/metadata")


async def test_an_edit_honours_if_match(workspace: Workspace, inside: Inside) -> None:
    made = await workspace.document()
    url = f"{workspace.url}/{made['id']}"
    tag = (await workspace.client.get(url)).headers["etag"]
    await inside.users.execute(
        "UPDATE document SET index_status = 'indexed', state = state + 1 WHERE id = $1::text::uuid", made["id"]
    )
    indexed = await workspace.client.get(url, headers={"If-None-Match": tag})
    assert (indexed.status_code, indexed.json()["index_status"]) == (200, "indexed")
    assert indexed.headers["etag"] != tag
    first = await workspace.client.patch(url, json={"title": "First"}, headers={"If-Match": tag})
    assert first.status_code == 200, "a worker's progress must not change the entity tag"
    for method, body in (("PATCH", {"title": "Late"}), ("PUT", {"title": "Late", "content": ""}), ("DELETE", None)):
        late = await workspace.client.request(method, url, json=body, headers={"If-Match": tag})
        assert (late.status_code, late.json()["code"]) == (412, "precondition_failed")
    current = await workspace.client.patch(url, json={"title": "Then"}, headers={"If-Match": first.headers["etag"]})
    assert current.status_code == 200


async def test_of_two_edits_at_once_under_one_tag_one_wins(workspace: Workspace) -> None:
    made = await workspace.document()
    url = f"{workspace.url}/{made['id']}"
    tag = (await workspace.client.get(url)).headers["etag"]
    answers = await asyncio.gather(
        *(workspace.client.patch(url, json={"title": f"T{n}"}, headers={"If-Match": tag}) for n in range(6))
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 5
    assert (await workspace.client.get(url)).json()["revision"] == 2


async def test_edits_at_once_are_all_versions(workspace: Workspace) -> None:
    made = await workspace.document()
    url = f"{workspace.url}/{made['id']}"
    await asyncio.gather(*(workspace.client.patch(url, json={"content": f"C{n}"}) for n in range(6)))
    versions = (await workspace.client.get(f"{url}/versions")).json()["items"]
    assert [version["number"] for version in versions] == [7, 6, 5, 4, 3, 2, 1]


async def test_an_external_id_that_is_taken_cannot_be_patched_in(workspace: Workspace) -> None:
    await workspace.document(external_id="taken")
    made = await workspace.document()
    for method, body in (("PATCH", {}), ("PUT", {"title": "x", "content": "y"})):
        answer = await workspace.client.request(
            method, f"{workspace.url}/{made['id']}", json={**body, "external_id": "taken"}
        )
        assert (answer.status_code, answer.json()["code"]) == (409, "external_id_taken")
    assert (await workspace.get(f"/{made['id']}")).json() == made


async def test_what_is_deleted_is_gone(workspace: Workspace) -> None:
    made = await workspace.document(external_id="again")
    url = f"{workspace.url}/{made['id']}"
    answer = await workspace.client.delete(url)
    assert (answer.status_code, answer.content) == (204, b"")
    for method, path in (
        ("GET", ""),
        ("DELETE", ""),
        ("GET", "/versions"),
        ("GET", "/versions/1"),
        ("GET", "/content"),
    ):
        gone = await workspace.client.request(method, url + path)
        assert (gone.status_code, gone.json()["code"]) == (404, "document_not_found")
    await workspace.document(external_id="again")


async def test_reindex_has_a_document_wait_again(workspace: Workspace, inside: Inside) -> None:
    made = await workspace.document()
    await inside.users.execute(
        "UPDATE document SET index_status = 'failed', index_error = 'why' WHERE id = $1::text::uuid", made["id"]
    )
    answer = await workspace.post(f"/{made['id']}/reindex")
    assert answer.status_code == 202
    assert (answer.json()["index_status"], answer.json()["index_error"]) == ("pending", None)
    assert answer.json()["revision"] == 1
    assert await inside.pending() == [made["id"]]
    assert (await workspace.post(f"/{uuid4()}/reindex")).status_code == 404
    assert [type_ for type_, _, _ in await inside.events()] == ["document.created"]


async def test_reindex_of_a_document_that_is_deleted_meanwhile_is_not_found(
    workspace: Workspace, inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await workspace.document()
    await_index = DocumentWriter.await_index

    async def await_and_delete(writer: DocumentWriter, ids: Sequence[UUID]) -> list[UUID]:
        unread = await await_index(writer, ids)
        await inside.users.execute("DELETE FROM document WHERE id = $1::text::uuid", made["id"])
        return unread

    monkeypatch.setattr(DocumentWriter, "await_index", await_and_delete)
    answer = await workspace.post(f"/{made['id']}/reindex")
    assert (answer.status_code, answer.json()["code"]) == (404, "document_not_found")


async def test_no_change_enqueues_anything(workspace: Workspace, inside: Inside) -> None:
    """The document's status shows that it waits."""
    made = await workspace.document()
    url = f"{workspace.url}/{made['id']}"
    assert (await workspace.client.patch(url, json={"title": "Other"})).status_code == 200
    assert (await workspace.client.put(url, json={"title": "T", "content": "C"})).status_code == 200
    assert (await workspace.post(f"/{made['id']}/versions/1/restore")).status_code == 200
    assert (await workspace.post(f"/{made['id']}/reindex")).json()["index_status"] == "pending"
    await workspace.post("/batch", json={"documents": [{"title": "T", "content": ""}]})
    assert await inside.users.fetch("SELECT FROM job") == []
    await inside.users.execute("UPDATE document SET index_status = 'indexed' WHERE project_id = $1", workspace.project)
    assert (await workspace.client.patch(url, json={"title": "After"})).json()["index_status"] == "pending"


async def test_every_change_is_told_in_its_order(workspace: Workspace, inside: Inside) -> None:
    made = await workspace.document(external_id="x")
    url = f"{workspace.url}/{made['id']}"
    await workspace.client.patch(url, json={"title": "New"})
    await workspace.client.delete(url)
    refused = await workspace.client.patch(url, json={"title": "Late"})
    assert refused.status_code == 404
    assert await inside.events() == [
        ("document.created", made["id"], {"title": "A title", "external_id": "x", "revision": 1}),
        ("document.updated", made["id"], {"title": "New", "external_id": "x", "revision": 2}),
        ("document.deleted", made["id"], {"title": "New", "external_id": "x", "revision": 2}),
    ]


async def test_a_batch_waits_and_is_told_in_its_order(workspace: Workspace, inside: Inside) -> None:
    batch = [{"title": f"T{n}", "content": ""} for n in range(120)]
    ids = [item["id"] for item in (await workspace.post("/batch", json={"documents": batch})).json()["items"]]
    assert await inside.pending() == ids
    events = await inside.events()
    assert [subject for _, subject, _ in events] == ids
    assert events[0][2] == {"title": "T0", "revision": 1}


async def test_what_is_refused_leaves_neither_documents_nor_events(workspace: Workspace, inside: Inside) -> None:
    await workspace.document(external_id="taken")
    await workspace.post(json={"title": "x", "content": "y", "external_id": "taken"})
    batch = [{"title": "x", "content": "y"}, {"title": "x", "content": "y", "external_id": "taken"}]
    await workspace.post("/batch", json={"documents": batch})
    assert len(await inside.pending()) == 1
    assert len(await inside.events()) == 1


async def test_event_numbers_have_no_gaps_when_many_create_at_once(workspace: Workspace, inside: Inside) -> None:
    await asyncio.gather(
        *(workspace.post(json={"title": f"T{n}", "content": "", "external_id": f"{n % 4}"}) for n in range(16))
    )
    rows = await inside.users.fetch("SELECT id FROM event WHERE project_id = $1 ORDER BY id", workspace.project)
    assert [row["id"] for row in rows] == list(range(1, len(rows) + 1))
    assert len(await inside.events()) == 4
