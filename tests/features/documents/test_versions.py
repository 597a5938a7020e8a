from __future__ import annotations

import pytest

from partywall.testing.users import Users
from tests.features.documents.conftest import Inside, Workspace
from tests.features.documents.test_lists import walk


async def edited(workspace: Workspace, times: int) -> str:
    made = await workspace.document(title="T1", content="C1")
    for number in range(2, times + 1):
        await workspace.client.patch(
            f"{workspace.url}/{made['id']}", json={"title": f"T{number}", "content": f"C{number}"}
        )
    return f"/{made['id']}"


async def test_versions_are_kept_newest_first(workspace: Workspace) -> None:
    path = await edited(workspace, 5)
    page = (await workspace.get(f"{path}/versions")).json()
    assert [(each["number"], each["title"]) for each in page["items"]] == [(n, f"T{n}") for n in (5, 4, 3, 2, 1)]
    assert "content" not in page["items"][0]
    assert page["items"][0]["created_by"] == str(workspace.owner.id)
    walked = await walk(workspace, {"limit": 2}, f"{path}/versions")
    assert [each["number"] for each in walked] == [5, 4, 3, 2, 1]
    counted = (await workspace.get(f"{path}/versions", params={"offset": 4})).json()
    assert ([each["number"] for each in counted["items"]], counted["total"]) == ([1], 5)
    beyond = (await workspace.get(f"{path}/versions", params={"offset": 9})).json()
    assert (beyond["items"], beyond["total"]) == ([], 5)


async def test_a_version_has_its_content(workspace: Workspace) -> None:
    path = await edited(workspace, 2)
    version = (await workspace.get(f"{path}/versions/1")).json()
    assert (version["title"], version["content"], version["size"]) == ("T1", "C1", 2)


@pytest.mark.parametrize(("number", "status"), [("3", 404), ("0", 422), ("-1", 422), ("x", 422), ("9999999999", 422)])
async def test_there_is_no_such_version(workspace: Workspace, number: str, status: int) -> None:
    path = await edited(workspace, 2)
    assert (await workspace.get(f"{path}/versions/{number}")).status_code == status
    assert (await workspace.post(f"{path}/versions/{number}/restore")).status_code == status


async def test_a_cursor_of_another_document_is_refused(workspace: Workspace) -> None:
    one, two = await edited(workspace, 3), await edited(workspace, 3)
    cursor = (await workspace.get(f"{one}/versions", params={"limit": 1})).json()["next_cursor"]
    assert (await workspace.get(f"{one}/versions", params={"cursor": cursor})).status_code == 200
    assert (await workspace.get(f"{two}/versions", params={"cursor": cursor})).status_code == 422


async def test_a_restored_version_is_the_newest(workspace: Workspace) -> None:
    path = await edited(workspace, 3)
    await workspace.client.patch(workspace.url + path, json={"status": "published", "metadata": {"kept": 1}})
    restored = await workspace.post(f"{path}/versions/1/restore")
    body = restored.json()
    assert restored.status_code == 200
    assert (body["title"], body["content"], body["version"], body["index_status"]) == ("T1", "C1", 4, "pending")
    assert (body["status"], body["metadata"]) == ("published", {"kept": 1})
    assert (await workspace.get(f"{path}/versions/4")).json()["content"] == "C1"


async def test_a_restore_honours_if_match_and_its_key(workspace: Workspace) -> None:
    path = await edited(workspace, 2)
    late = await workspace.post(f"{path}/versions/1/restore", headers={"If-Match": '"1-0"'})
    assert late.status_code == 412
    tag = (await workspace.get(path)).headers["etag"]
    headers = {"If-Match": tag, "Idempotency-Key": "once"}
    first = await workspace.post(f"{path}/versions/1/restore", headers=headers)
    again = await workspace.post(f"{path}/versions/1/restore", headers=headers)
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.content == first.content
    assert again.headers["idempotent-replayed"] == "true"


async def texts(workspace: Workspace, users: Users) -> list[str]:
    """The stored texts other than the document's own."""
    rows = await users.fetch(
        "SELECT content FROM document_text WHERE project_id = $1 ORDER BY content", workspace.project
    )
    return [row["content"] for row in rows]


async def test_a_change_of_the_title_stores_no_text(workspace: Workspace, users: Users) -> None:
    """A request of 18 bytes must not store another ten megabytes."""
    large = "word " * 200_000
    made = await workspace.document(content=large)
    path = f"{workspace.url}/{made['id']}"
    measure = (
        "SELECT pg_total_relation_size('document') - pg_relation_size('document')"
        " + pg_total_relation_size('document_version') + pg_total_relation_size('document_text') AS bytes"
    )
    [before] = await users.fetch(measure)
    for number in range(20):
        answer = await workspace.client.patch(path, json={"title": f"Title {number}"})
        assert answer.status_code == 200
    [after] = await users.fetch(measure)
    assert after["bytes"] - before["bytes"] < 500_000
    assert await texts(workspace, users) == []
    version = (await workspace.get(f"/{made['id']}/versions/7")).json()
    assert (version["title"], version["content"]) == ("Title 5", large)


async def test_the_same_text_again_is_stored_once(workspace: Workspace, users: Users) -> None:
    path = await edited(workspace, 2)
    for number in (1, 2, 1, 2, 1):
        newest = await workspace.post(f"{path}/versions/{number}/restore")
        assert newest.json()["content"] == f"C{number}"
    assert await texts(workspace, users) == ["C2"]
    contents = [(await workspace.get(f"{path}/versions/{number}")).json()["content"] for number in range(1, 8)]
    assert contents == ["C1", "C2", "C1", "C2", "C1", "C2", "C1"]


async def test_the_oldest_versions_go_and_the_texts_that_only_they_had(workspace: Workspace, users: Users) -> None:
    await users.execute(
        "INSERT INTO project_quota (project_id, quota, most) VALUES ($1, 'versions_per_document', 3)", workspace.project
    )
    path = await edited(workspace, 5)
    page = (await workspace.get(f"{path}/versions")).json()
    assert [each["number"] for each in page["items"]] == [5, 4, 3]
    assert await texts(workspace, users) == ["C3", "C4"]
    assert (await workspace.get(f"{path}/versions/2")).status_code == 404
    await workspace.client.patch(workspace.url + path, json={"title": "Only the title"})
    await workspace.client.patch(workspace.url + path, json={"title": "And again"})
    await workspace.client.patch(workspace.url + path, json={"title": "And again!"})
    assert await texts(workspace, users) == []
    assert (await workspace.get(f"{path}/versions/6")).json()["content"] == "C5"


async def test_what_changes_nothing_is_no_version(workspace: Workspace, inside: Inside) -> None:
    path = await edited(workspace, 2)
    told = len(await inside.events())
    for nothing in ({}, {"title": "T2"}, {"content": "C2", "metadata": {}}):
        assert (await workspace.client.patch(workspace.url + path, json=nothing)).json()["version"] == 2
    await workspace.post(f"{path}/versions/2/restore")
    assert len(await inside.events()) == told
    assert len((await workspace.get(f"{path}/versions")).json()["items"]) == 2
