from __future__ import annotations

import pytest

from partywall.core.schemas import JsonObject
from partywall.features.documents.patch import DocumentFields, merge, patched
from partywall.features.documents.schemas import DocumentPatch

CURRENT = DocumentFields("T", "C", "e", "draft", {"n": 1})


@pytest.mark.parametrize(
    ("target", "patch", "merged"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({"a": "b"}, {"a": {"b": None, "c": 1}}, {"a": {"c": 1}}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_the_examples_of_rfc_7396(target: JsonObject, patch: JsonObject, merged: JsonObject) -> None:
    before = dict(target)
    assert merge(target, patch) == merged
    assert target == before


def test_what_is_absent_stays() -> None:
    assert patched(CURRENT, DocumentPatch()) == CURRENT
    changed = patched(CURRENT, DocumentPatch(external_id=None, status="published"))
    assert changed == DocumentFields("T", "C", None, "published", {"n": 1})


@pytest.mark.parametrize(("value", "differs"), [(1, False), (1.0, True), (True, True), ("1", True)])
def test_values_of_different_types_differ(value: int | float | str, differs: bool) -> None:
    other = DocumentFields("T", "C", "e", "draft", {"n": value})
    assert bool(other.differs_in(CURRENT)) is differs


def test_the_order_of_fields_is_no_difference() -> None:
    one = DocumentFields("T", "C", None, "draft", {"a": {"x": 1, "y": 2}, "b": 1})
    other = DocumentFields("T", "C", None, "draft", {"b": 1, "a": {"y": 2, "x": 1}})
    assert one.differs_in(other) == set()
