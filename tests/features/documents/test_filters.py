from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

import pytest
from pydantic import JsonValue

from tests.features.documents.conftest import Workspace

type Json = Mapping[str, JsonValue]

LONG: Final = "x" * 150
DOCUMENTS: Final[Mapping[str, Json]] = {
    "contract": {
        "year": 2024, "price": 99.5, "signed": "2024-03-01", "tags": ["red", "blue"], "open": True,
        "supplier": {"name": "ACME GmbH", "a.b": "dotted"}, "": "empty",
    },
    "invoice": {"year": 2025, "price": 1e3, "signed": "2025-06-30T23:30:00-02:00", "tags": ["red"], "open": False},
    "letter": {"year": "2025", "price": -3, "signed": "soon", "tags": "red wine", "supplier": "ACME", "gone": None},
    "crowded": {"year": 2026, "many": list(range(300)), "note": f"{LONG}one"},
    "long": {"year": -1.5, "note": f"{LONG}two", "2025": {"7": "digits"}},
    "items": {"nums": [1, 2], "mixed": [True, False], "a.b": 1, "a": {"b": 2}, "last": "a\U0010ffff\U0010ffffz"},
    "bare": {},
}  # fmt: skip


def of(field: JsonValue, op: str, value: JsonValue) -> dict[str, JsonValue]:
    return {"field": field, "op": op, "value": value}


def key(name: str, op: str, value: JsonValue) -> dict[str, JsonValue]:
    return of(f"metadata.{name}", op, value)


@pytest.fixture
async def filled(workspace: Workspace) -> Workspace:
    batch = [
        {"title": f"The {name}", "content": "", "external_id": f"files/{name}", "metadata": metadata}
        for name, metadata in DOCUMENTS.items()
    ]
    assert (await workspace.post("/batch", json={"documents": batch})).status_code == 201
    return workspace


async def found(workspace: Workspace, given: JsonValue, **params: str) -> set[str]:
    answer = await workspace.get(params={"filter": json.dumps(given), **params})
    assert answer.status_code == 200, answer.text
    return {item["external_id"].removeprefix("files/") for item in answer.json()["items"]}


CASES: Final[list[tuple[JsonValue, set[str]]]] = [
    (key("year", "eq", 2025), {"invoice"}),
    (key("year", "eq", 2025.0), {"invoice"}),
    (key("year", "eq", "2025"), {"letter"}),
    (key("year", "in", [2024, "2025", -1.5]), {"contract", "letter", "long"}),
    (key("year", "gte", 2025), {"invoice", "crowded"}),
    (key("year", "lt", 2025), {"contract", "long"}),
    ({"and": [key("year", "gt", 2024), key("year", "lte", 2025)]}, {"invoice"}),
    ({"and": [key("year", "gt", 2025), key("year", "lt", 2025)]}, set()),
    (key("price", "lt", 100), {"contract", "letter"}),
    (key("price", "gt", -4), {"contract", "invoice", "letter"}),
    (key("signed", "gte", "2025-07-01"), {"invoice"}),
    (key("signed", "lt", "2025-07-01T01:30:00Z"), {"contract"}),
    (key("signed", "lte", "2025-07-01T01:30:00Z"), {"contract", "invoice"}),
    (key("signed", "eq", "soon"), {"letter"}),
    (key("open", "eq", True), {"contract"}),
    (key("open", "in", [False, 1]), {"invoice"}),
    (key("tags", "contains", "blue"), {"contract"}),
    (key("tags", "contains", "RED"), {"letter"}),
    (key("tags", "contains", "red"), {"contract", "invoice", "letter"}),
    (key("tags", "eq", "red"), set()),
    (key("many", "contains", 299), {"crowded"}),
    (key("many", "contains", 300), set()),
    ({"and": [key("nums", "contains", 1), key("nums", "contains", 2)]}, {"items"}),
    ({"and": [key("nums", "contains", 1), key("nums", "contains", 3)]}, set()),
    ({"and": [key("mixed", "contains", True), key("mixed", "contains", False)]}, {"items"}),
    ({"and": [of(["metadata", "a.b"], "eq", 1), key("a.b", "eq", 2)]}, {"items"}),
    ({"and": [key("a.b", "gt", 1), key("a.b", "lt", 3)]}, {"items"}),
    (key("last", "prefix", "a"), {"items"}),
    (key("last", "contains", "Z"), {"items"}),
    (key("supplier.name", "prefix", "ACME"), {"contract"}),
    (key("supplier", "prefix", "ACME"), {"letter"}),
    (key("supplier", "exists", True), {"contract", "letter"}),
    (key("gone", "exists", True), set()),
    (of(["metadata", "supplier", "a.b"], "eq", "dotted"), {"contract"}),
    (key("supplier.a.b", "exists", True), set()),
    (of(["metadata", ""], "eq", "empty"), {"contract"}),
    (key("note", "eq", f"{LONG}two"), {"long"}),
    (key("note", "prefix", LONG), {"crowded", "long"}),
    (key("2025.7", "eq", "digits"), {"long"}),
    (key("tags.0", "eq", "red"), {"contract", "invoice"}),
    (key("year", "exists", False), {"bare", "items"}),
    ({"not": key("year", "gte", 2025)}, {"contract", "letter", "long", "bare", "items"}),
    ({"or": [key("year", "eq", 2024), of("title", "prefix", "The b")]}, {"contract", "bare"}),
    ({"or": [key("year", "eq", 2024), key("note", "eq", f"{LONG}one")]}, {"contract", "crowded"}),
    (of("title", "contains", "CONTR"), {"contract"}),
    (of("title", "in", ["The letter", "the long"]), {"letter"}),
    (of("external_id", "prefix", "files/l"), {"letter", "long"}),
    (of("external_id", "eq", "files/bare"), {"bare"}),
    ({"and": [of("status", "eq", "published"), of("created_at", "gt", "2020-01-01")]}, set()),
    ({"and": [of("media_type", "prefix", "text/"), of("updated_at", "lt", "2020-01-01")]}, set()),
]  # fmt: skip


async def test_a_list_has_the_documents_that_match(filled: Workspace) -> None:
    for given, names in CASES:
        assert await found(filled, given) == names, given


async def test_a_filter_follows_the_metadata(filled: Workspace) -> None:
    [one] = (await filled.get(params={"external_id": "files/contract"})).json()["items"]
    url = f"{filled.url}/{one['id']}"
    changed = {"metadata": {"year": 1999, "many": list(range(300))}}
    assert (await filled.client.patch(url, json=changed)).status_code == 200
    assert await found(filled, key("year", "eq", 1999)) == {"contract"}
    assert await found(filled, key("year", "eq", 2024)) == set()
    assert (await filled.client.delete(url)).status_code == 204
    assert await found(filled, key("year", "eq", 1999)) == set()


async def test_a_filter_joins_the_other_parameters_and_the_pages(filled: Workspace) -> None:
    given = key("year", "exists", True)
    assert await found(filled, given, q_title="LETTER") == {"letter"}
    params = {"filter": json.dumps(given), "limit": "2", "sort": "title"}
    page = (await filled.get(params={**params, "offset": "1"})).json()
    assert (page["total"], [each["title"] for each in page["items"]]) == (5, ["The crowded", "The invoice"])
    cursor = (await filled.get(params=params)).json()["next_cursor"]
    rest = (await filled.get(params={**params, "cursor": cursor})).json()
    assert [each["title"] for each in rest["items"]] == ["The invoice", "The letter"]
    other = {**params, "filter": json.dumps(key("year", "exists", False)), "cursor": cursor}
    assert (await filled.get(params=other)).status_code == 422


REFUSED: Final = [
    ("{", "", "bad_format"),
    ("[]", "", "wrong_type"),
    ("{}", "/field", "missing"),
    ('{"and": []}', "/and", "too_short"),
    ('{"and": [{"or": [{"field": "status", "op": "eq", "value": "gone"}]}]}', "/and/0/or/0/value", "not_one_of"),
    ('{"field": "content", "op": "eq", "value": "x"}', "/field", "not_one_of"),
    ('{"field": "metadata", "op": "eq", "value": "x"}', "/field", "not_one_of"),
    ('{"field": "status", "op": "gt", "value": "draft"}', "/op", "not_one_of"),
    ('{"field": "created_at", "op": "gt", "value": 5}', "/value", "wrong_type"),
    ('{"field": "created_at", "op": "gt", "value": "2025-02-30"}', "/value", "bad_format"),
    ('{"field": "metadata.year", "op": "gt", "value": "abc"}', "/value", "bad_format"),
    ('{"field": "metadata.year", "op": "gt", "value": true}', "/value", "wrong_type"),
    ('{"field": "metadata.year", "op": "eq", "value": null}', "/value", "wrong_type"),
    ('{"field": "metadata.year", "op": "in", "value": [1, {}]}', "/value/1", "wrong_type"),
    ('{"field": "metadata.year", "op": "exists", "value": 1}', "/value", "wrong_type"),
    ('{"field": "id", "op": "in", "value": ["x"]}', "/value/0", "bad_format"),
    ('{"field": "title", "op": "prefix", "value": "a\\u0000"}', "/value", "bad_character"),
    ('{"field": "title", "op": "eq", "value": "a", "and": []}', "", "unknown_field"),
    ('{"not":' * 9 + "{}" + "}" * 9, "/not" * 8, "too_deep"),
    (json.dumps({"or": [{"field": "title", "op": "eq", "value": "a"}] * 64}), "/or/63", "too_long"),
    (json.dumps(of("title", "in", ["a"] * 501)), "/value", "too_long"),
]


async def test_an_error_names_the_place(workspace: Workspace) -> None:
    for given, pointer, code in REFUSED:
        answer = await workspace.get(params={"filter": given})
        assert answer.status_code == 422, given
        [error] = answer.json()["errors"]
        assert (error["pointer"], error["code"]) == (f"/query/filter{pointer}", code)
