"""End to end through the API: changes to documents reach the search."""

from __future__ import annotations

import pytest
from httpx2 import Response

from tests.features.search.search_workspace import SearchWorkspace


class Reader:
    def __init__(self, workspace: SearchWorkspace) -> None:
        self.workspace = workspace
        self.path = f"/api/v1/projects/{workspace.project}/documents"

    async def write(self, method: str, path: str = "", **body: object) -> Response:
        answer = await self.workspace.person.client.request(method, f"{self.path}{path}", json=body)
        assert answer.status_code < 300, answer.text
        await self.workspace.work()
        return answer

    async def finds(self, q: str) -> list[str]:
        return await self.workspace.titles(q, mode="text")


@pytest.fixture
def reader(workspace: SearchWorkspace) -> Reader:
    return Reader(workspace)


async def test_a_document_can_be_found_once_it_is_created(reader: Reader) -> None:
    made = await reader.write("POST", title="Refunds", content="Ten days.", status="published")
    got = await reader.workspace.person.client.get(f"{reader.path}/{made.json()['id']}")
    assert got.json()["index_status"] == "indexed"
    assert await reader.finds("refund") == ["Refunds"]
    stats = (await reader.workspace.person.client.get(f"{reader.path}/stats")).json()
    assert stats["chunks"] == 1


async def test_a_change_changes_what_is_found(reader: Reader) -> None:
    id_ = (await reader.write("POST", title="Refunds", content="Ten days.")).json()["id"]
    await reader.write("PATCH", f"/{id_}", content="Within a fortnight.")
    assert await reader.finds("days") == []
    assert await reader.finds("fortnight") == ["Refunds"]
    await reader.write("PATCH", f"/{id_}", title="Money back")
    assert await reader.finds("refunds") == []


async def test_the_title_shown_is_the_newest(reader: Reader) -> None:
    id_ = (await reader.write("POST", title="Refunds", content="Ten days.")).json()["id"]
    await reader.workspace.person.client.patch(f"{reader.path}/{id_}", json={"title": "Money back"})
    assert await reader.finds("days") == ["Money back"]


async def test_a_status_counts_at_once(reader: Reader) -> None:
    id_ = (await reader.write("POST", title="Refunds", content="Ten days.")).json()["id"]
    assert await reader.workspace.titles("days", status="published") == []
    await reader.workspace.person.client.patch(f"{reader.path}/{id_}", json={"status": "published"})
    assert await reader.workspace.titles("days", status="published") == ["Refunds"]


async def test_what_is_deleted_is_not_found(reader: Reader) -> None:
    id_ = (await reader.write("POST", title="Refunds", content="Ten days.")).json()["id"]
    assert (await reader.workspace.person.client.delete(f"{reader.path}/{id_}")).status_code == 204
    assert await reader.finds("days") == []


async def test_a_batch_is_found_as_a_whole(reader: Reader) -> None:
    await reader.write(
        "POST", "/batch", documents=[{"title": f"Note {n}", "content": f"common w{n}"} for n in range(70)]
    )
    assert len(await reader.workspace.titles("common", mode="text", limit=100)) == 70


async def test_an_index_can_be_asked_for_again(reader: Reader) -> None:
    id_ = (await reader.write("POST", title="Refunds", content="Ten days.")).json()["id"]
    assert (await reader.write("POST", f"/{id_}/reindex")).status_code == 202
    assert await reader.finds("days") == ["Refunds"]
    assert await reader.workspace.count("chunk") == 1
