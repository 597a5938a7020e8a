"""The merged meta-schema of a draft finds the same errors as the draft's own check."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from jsonschema.exceptions import SchemaError
from pydantic import JsonValue

from partywall.core.json_schema.checker import DRAFTS
from partywall.core.json_schema.metaschemas import _whole, errors
from partywall.core.schemas import JsonObject

VALUES: list[JsonValue] = [
    None, True, -1, 0, 1.5, "a", [], ["a"], ["a", "a"], [{}], [1, 2], {}, {"a": {}}, {"a": ["b"]}, {"a": 1},
    {"a": {"type": 1}},
]  # fmt: skip


def schemas(draft: str) -> Iterator[JsonObject]:
    """Each keyword with a value of each kind, also nested."""
    named = _whole(DRAFTS[draft].META_SCHEMA)["properties"]
    assert isinstance(named, dict)
    for keyword in named:
        for value in VALUES:
            yield {keyword: value}
    for value in VALUES:
        yield {"properties": {"a": {"items": {"not": {"anyOf": [True, {"type": value}]}}}}}


def said(schema: JsonObject, draft: str) -> list[object] | None:
    """The first path element of the error that the draft's own check finds; None if valid."""
    try:
        DRAFTS[draft].check_schema(schema, format_checker=None)  # type: ignore[attr-defined]  # jsonschema's, not asked for
    except SchemaError as error:
        return list(error.absolute_path)[:1]
    return None


@pytest.mark.parametrize("draft", DRAFTS)
def test_it_finds_what_the_draft_finds(draft: str) -> None:
    wrong = 0
    for schema in schemas(draft):
        found = next(errors(schema, DRAFTS[draft]), None)
        assert (found and list(found.absolute_path)[:1]) == said(schema, draft), schema
        wrong += found is not None
    assert wrong > len(VALUES)
