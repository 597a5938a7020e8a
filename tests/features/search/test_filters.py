from __future__ import annotations

import json
from contextlib import nullcontext
from uuid import uuid4

import pytest
from httpx2 import AsyncClient
from jsonschema import Draft202012Validator
from pydantic import JsonValue, TypeAdapter, ValidationError

from partywall.features.documents.filters.facets import GivenFacets
from partywall.features.search import kept_passages
from partywall.features.search.constants import Breadth
from partywall.testing.users import Users
from tests.features.search.search_workspace import SearchWorkspace

KINDS = ("contract", "invoice", "letter", "memo")


@pytest.fixture
async def stocked(workspace: SearchWorkspace) -> SearchWorkspace:
    """Twelve documents with the same words; the later ones have them more often, so they come first."""
    documents = [
        await workspace.put(
            f"{number}",
            " ".join(["refund", *["cat"] * number, *["dog"] * (12 - number)]),
            status="published" if number < 6 else "draft",
            metadata={"kind": KINDS[number % 4], "day": f"2025-01-{number + 1:02}"},
        )
        for number in range(12)
    ]
    await workspace.index(*documents)
    return workspace


async def titles(workspace: SearchWorkspace, **body: JsonValue) -> list[str]:
    answer = await workspace.person.client.post(
        f"/api/v1/projects/{workspace.project}/search", json={"q": "cat refund", "limit": 100, **body}
    )
    assert answer.status_code == 200, answer.text
    return [hit["title"] for hit in answer.json()["items"]]


def of(field: str, op: str, value: JsonValue) -> dict[str, JsonValue]:
    return {"field": field, "op": op, "value": value}


FILTERS: list[tuple[JsonValue, set[str]]] = [
    (of("metadata.kind", "eq", "invoice"), {"1", "5", "9"}),
    (of("metadata.day", "gte", "2025-01-11"), {"10", "11"}),
    ({"not": of("metadata.kind", "in", ["invoice", "letter", "memo"])}, {"0", "4", "8"}),
    ({"and": [of("status", "eq", "published"), of("metadata.kind", "eq", "memo")]}, {"3"}),
    (of("metadata.kind", "eq", "none"), set()),
]


@pytest.mark.parametrize("most_kept", [kept_passages.MOST_KEPT, 0])
async def test_a_filter_comes_before_the_ranking_in_every_mode(
    stocked: SearchWorkspace, monkeypatch: pytest.MonkeyPatch, most_kept: int
) -> None:
    """Few passages are ranked by their numbers, many are checked in their order; so is here each of them at first."""
    ranked = await titles(stocked, mode="text")
    monkeypatch.setattr(kept_passages, "MOST_KEPT", most_kept)
    monkeypatch.setattr(kept_passages, "MOST_READ", most_kept)
    for breadth in ("NARROW", "MATCHING", "MORE", "WIDE"):
        monkeypatch.setattr(f"partywall.features.search.one_search.{breadth}", Breadth(3, 3, 3))
    monkeypatch.setattr("partywall.features.search.repository.CHECKED_FIRST", 1)
    for given, expected in FILTERS:
        for mode in ("text", "vector", "hybrid"):
            found = await titles(stocked, mode=mode, filter=given, limit=3)
            assert set(found) == expected, (given, mode)
    kept = await titles(stocked, mode="text", filter=FILTERS[0][0])
    assert kept == [title for title in ranked if title in FILTERS[0][1]]


async def test_the_status_is_a_filter_too(stocked: SearchWorkspace) -> None:
    kind = of("metadata.kind", "eq", "contract")
    assert set(await titles(stocked, status="draft", filter=kind)) == {"8"}
    answer = await stocked.search("cat", filter=json.dumps(kind), status="published")
    assert {hit["title"] for hit in answer.json()["items"]} == {"0", "4"}


async def test_deleted_documents_are_not_found(stocked: SearchWorkspace) -> None:
    invoices = of("metadata.kind", "eq", "invoice")
    url = f"/api/v1/projects/{stocked.project}"
    [hit, *_] = (await stocked.person.client.post(f"{url}/search", json={"q": "cat", "filter": invoices})).json()[
        "items"
    ]
    await stocked.person.client.delete(f"{url}/documents/{hit['document_id']}")
    assert set(await titles(stocked, filter=invoices)) == {"1", "5", "9"} - {hit["title"]}


async def test_facets_count_what_the_filter_keeps(stocked: SearchWorkspace) -> None:
    body = {"q": "nothing-like-it", "mode": "text", "facets": ["metadata.kind", "status", "metadata.none"],
            "filter": of("metadata.day", "lt", "2025-01-08")}  # fmt: skip
    answer = await stocked.person.client.post(f"/api/v1/projects/{stocked.project}/search", json=body)
    assert answer.json() == {"items": [], "reranked": None, "facets": [
        {"field": "metadata.kind", "more": False, "values": [
            {"value": "contract", "count": 2}, {"value": "invoice", "count": 2}, {"value": "letter", "count": 2},
            {"value": "memo", "count": 1},
        ]},
        {"field": "status", "more": False, "values": [
            {"value": "published", "count": 6}, {"value": "draft", "count": 1}
        ]},
        {"field": "metadata.none", "more": False, "values": []},
    ]}  # fmt: skip
    for facets in (["title"], ["metadata"], ["status"] * 9):
        wrong = await stocked.person.client.post(
            f"/api/v1/projects/{stocked.project}/search", json={"q": "cat", "facets": facets}
        )
        assert wrong.json()["errors"][0]["pointer"].startswith("/facets"), facets


@pytest.mark.parametrize(
    ("field", "accepted"),
    [
        ("status", True),
        ("metadata.a.b", True),
        (f"metadata.{'x' * 503}", True),
        (f"metadata.{'x' * 504}", False),
        ("metadata.a.a.a.a.a.a.a.a", True),
        ("metadata.a.a.a.a.a.a.a.a.a", False),
        ("metadata.", False),
        ("metadata.a..b", False),
        ("title", False),
    ],
)
def test_a_facet_is_accepted_if_the_schema_accepts_it(field: str, *, accepted: bool) -> None:
    facets = TypeAdapter[object](GivenFacets)
    assert Draft202012Validator(facets.json_schema()).is_valid([field]) is accepted
    with nullcontext() if accepted else pytest.raises(ValidationError):
        facets.validate_python([field])


async def test_anonymous_is_refused(anonymous: AsyncClient) -> None:
    answer = await anonymous.post(f"/api/v1/projects/{uuid4()}/search", json={"q": "x"})
    assert answer.status_code == 401


async def test_another_project_is_invisible(stocked: SearchWorkspace, users: Users) -> None:
    outsider = await users.person()
    body = {"q": "cat", "facets": ["status"], "filter": of("status", "eq", "draft")}
    answer = await outsider.client.post(f"/api/v1/projects/{stocked.project}/search", json=body)
    assert answer.status_code == 404
