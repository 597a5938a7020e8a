from __future__ import annotations

import asyncio
from collections.abc import Mapping
from urllib.parse import quote
from uuid import uuid4

import pytest

from partywall.core.pagination import PAGE_BYTES
from partywall.core.resources import Resources
from partywall.features.documents.constants import MAX_METADATA_BYTES
from partywall.features.documents.schemas import Document, DocumentSummary, Stats, Version, VersionSummary
from partywall.testing.users import Users
from tests.features.documents.conftest import Workspace


async def walk(workspace: Workspace, params: Mapping[str, object], path: str = "") -> list[dict[str, object]]:
    seen: list[dict[str, object]] = []
    cursor: str | None = None
    while True:
        page = (await workspace.get(path, params={**params, **({"cursor": cursor} if cursor else {})})).json()
        assert page["total"] is None
        seen += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return seen
        assert len(page["items"]) == params["limit"]


@pytest.mark.parametrize("sort", ["created_at", "-created_at", "title", "-title", "updated_at", "-updated_at"])
async def test_a_cursor_walks_in_every_order_without_loss(workspace: Workspace, sort: str) -> None:
    """Documents of a batch share an instant and some titles are equal; the id breaks ties."""
    batch = [{"title": f"T{n // 2}", "content": ""} for n in range(8)]
    assert (await workspace.post("/batch", json={"documents": batch})).status_code == 201
    made = (await workspace.get(params={"sort": "created_at"})).json()["items"]
    await workspace.client.patch(f"{workspace.url}/{made[0]['id']}", json={"status": "published"})
    everything = (await workspace.get(params={"sort": sort})).json()
    field = sort.removeprefix("-")
    expected = sorted(everything["items"], key=lambda each: (each[field], each["id"]), reverse=sort.startswith("-"))
    assert everything["items"] == expected
    assert everything["next_cursor"] is None
    assert await walk(workspace, {"sort": sort, "limit": 3}) == expected
    assert await walk(workspace, {"sort": sort, "limit": 4}) == expected


async def test_by_default_the_newest_come_first_without_content(workspace: Workspace) -> None:
    one, two = await workspace.document(), await workspace.document()
    page = (await workspace.get()).json()
    assert [item["id"] for item in page["items"]] == [two["id"], one["id"]]
    assert page["items"][1] == {name: value for name, value in one.items() if name != "content"}
    assert (page["next_cursor"], page["total"]) == (None, None)


async def test_offset_jumps_and_counts(workspace: Workspace) -> None:
    for _ in range(5):
        await workspace.document()
    page = (await workspace.get(params={"offset": 3, "limit": 1})).json()
    assert (len(page["items"]), page["total"]) == (1, 5)
    assert page["next_cursor"] is not None
    beyond = (await workspace.get(params={"offset": 10})).json()
    assert beyond == {"items": [], "next_cursor": None, "total": 5}


async def test_filters_combine(workspace: Workspace, users: Users) -> None:
    await workspace.document(title="Rahmenvertrag 100%", external_id="a/b", status="published")
    await workspace.document(title="ÜBERSICHT", external_id="c_d")
    failed = await workspace.document(title="Vertrag_x")
    await users.execute("UPDATE document SET index_status = 'failed' WHERE id = $1::text::uuid", failed["id"])
    cases = {
        "external_id=a%2Fb": ["Rahmenvertrag 100%"],
        "external_id=a": [],
        "status=published": ["Rahmenvertrag 100%"],
        "index_status=failed": ["Vertrag_x"],
        "q_title=vertrag": ["Vertrag_x", "Rahmenvertrag 100%"],
        "q_title=0%25": ["Rahmenvertrag 100%"],
        "q_title=g_": ["Vertrag_x"],
        f"q_title={quote('übers')}": ["ÜBERSICHT"],
        "q_title=vertrag&status=draft": ["Vertrag_x"],
        "q_title=vertrag&status=draft&index_status=pending": [],
    }
    for query, titles in cases.items():
        page = (await workspace.client.get(f"{workspace.url}?{query}&offset=0")).json()
        assert ([item["title"] for item in page["items"]], page["total"]) == (titles, len(titles)), query


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=101", "limit=x", "sort=id", "sort=content", "cursor=nonsense", "cursor=", "cursor=%00",
     "offset=-1", "offset=99999999999", "cursor=a&offset=1", "status=gone", "index_status=x", "q_title=%00",
     "external_id=%00"],
)  # fmt: skip
async def test_a_bad_question_is_refused(workspace: Workspace, query: str) -> None:
    answer = await workspace.client.get(f"{workspace.url}?{query}")
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"]


async def test_a_cursor_opens_only_its_own_list(workspace: Workspace) -> None:
    other = Workspace(await workspace.owner.project(), workspace.owner)
    for each in (workspace, other):
        for _ in range(3):
            await each.document()
    cursor = (await workspace.get(params={"limit": 1})).json()["next_cursor"]
    assert (await workspace.get(params={"cursor": cursor})).status_code == 200
    assert (await other.get(params={"cursor": cursor})).status_code == 422
    for params in ({"sort": "title"}, {"status": "draft"}, {"q_title": "a"}):
        assert (await workspace.get(params={"cursor": cursor, **params})).status_code == 422


async def test_an_outsider_learns_nothing_from_a_cursor(workspace: Workspace, users: Users) -> None:
    """Neither that it belongs to this list nor that the project exists."""
    document = await workspace.document()
    await workspace.document()
    await workspace.client.patch(f"{workspace.url}/{document['id']}", json={"content": "Another."})
    outsider = await users.person()
    for path in ("", f"/{document['id']}/versions"):
        cursor = (await workspace.get(path, params={"limit": 1})).json()["next_cursor"]
        for given in (cursor, "nonsense"):
            for url in (workspace.url, f"/api/v1/projects/{uuid4()}/documents"):
                answer = await outsider.client.get(url + path, params={"cursor": given})
                assert (answer.status_code, answer.json()["code"]) == (404, "project_not_found")


async def test_a_cursor_survives_the_longest_title(workspace: Workspace) -> None:
    for _ in range(3):
        await workspace.document(title="🦊" * 500)
    assert len(await walk(workspace, {"sort": "title", "limit": 1})) == 3


async def test_fast_answers_have_the_shape_of_their_schemas(workspace: Workspace) -> None:
    """The database builds the JSON; the contract is in the schemas."""
    made = await workspace.document(external_id="e", metadata={"a": [1, {"b": None}]}, title="🦊")
    one = (await workspace.get(f"/{made['id']}")).content
    assert Document.model_validate_json(one).model_dump(mode="json") == made
    [item] = (await workspace.get()).json()["items"]
    assert DocumentSummary.model_validate(item).model_dump(mode="json") == item
    [version] = (await workspace.get(f"/{made['id']}/versions")).json()["items"]
    assert VersionSummary.model_validate(version).model_dump(mode="json") == version
    whole = (await workspace.get(f"/{made['id']}/versions/1")).json()
    assert Version.model_validate(whole).model_dump(mode="json") == whole
    stats = (await workspace.get("/stats")).json()
    assert Stats.model_validate(stats).model_dump(mode="json") == stats


async def test_an_empty_project_answers_with_nothing(workspace: Workspace) -> None:
    assert (await workspace.get()).json() == {"items": [], "next_cursor": None, "total": None}
    assert (await workspace.get(params={"offset": 0})).json() == {"items": [], "next_cursor": None, "total": 0}
    assert (await workspace.get("/stats")).json() == {
        "total": 0,
        "by_status": {"draft": 0, "published": 0},
        "by_index_status": {"pending": 0, "indexed": 0, "failed": 0},
        "size": 0,
        "chunks": 0,
    }


@pytest.mark.parametrize("sort", ["created_at", "-title"])
async def test_a_page_of_large_metadata_ends_earlier_and_the_next_goes_on(workspace: Workspace, sort: str) -> None:
    note = "n" * (MAX_METADATA_BYTES - 100)
    batch = [{"title": f"T{n:02}", "content": "", "metadata": {"note": note}} for n in range(20)]
    assert (await workspace.post("/batch", json={"documents": batch})).status_code == 201
    first = await workspace.get(params={"sort": sort, "limit": 100, "offset": 0})
    assert PAGE_BYTES < len(first.content) < PAGE_BYTES + 2 * MAX_METADATA_BYTES
    assert (first.json()["total"], len(first.json()["items"])) == (20, 17)
    rest = (await workspace.get(params={"sort": sort, "limit": 100, "cursor": first.json()["next_cursor"]})).json()
    assert rest["next_cursor"] is None
    titles = [item["title"] for item in first.json()["items"] + rest["items"]]
    if sort == "-title":
        assert titles == sorted(titles, reverse=True)
    assert len(set(titles)) == 20
    few = (await workspace.get(params={"sort": sort, "limit": 3})).json()
    assert (len(few["items"]), few["next_cursor"] is None) == (3, False)


@pytest.mark.parametrize(
    ("query", "is_long"),
    [
        ("", False), ("?sort=title&limit=100", False), ("?external_id=a", False), ("/stats", True),
        ("?offset=0", True), ("?external_id=a&offset=3", True), ("?q_title=a", True), ("?status=draft", True),
        ("?index_status=failed&sort=title", True),
    ],
)  # fmt: skip
async def test_queries_that_may_scan_the_project_wait_for_a_long_read_slot(
    workspace: Workspace, resources: Resources, query: str, is_long: bool
) -> None:
    """Nothing else waits: an account at its limit of long reads still gets ordinary lists."""
    places, tenant = resources.reads.long.slots, workspace.owner.principal.tenant
    taken = 0
    while places.try_acquire(tenant):
        taken += 1
    asked = asyncio.create_task(workspace.get(query))
    try:
        while not asked.done() and not places.waiting:
            await asyncio.sleep(0.001)
        assert asked.done() != is_long
    finally:
        for _ in range(taken):
            places.release(tenant)
    assert (await asked).status_code == 200
