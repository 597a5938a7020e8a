"""A check is bounded in steps and time, whatever the schema and the object are."""

from __future__ import annotations

import pytest
from pydantic import JsonValue

from partywall.core.json_schema.checker import DRAFTS, MAX_CHARACTERS, MAX_STEPS, NEWEST, Checker
from partywall.core.json_schema.exceptions import SchemaTooCostlyError
from partywall.core.json_schema.in_place import InPlace
from partywall.core.schemas import JsonObject
from tests.core.json_schema.schemas import doubling, fanning, in_a, ladder, refused, usable


def test_a_pattern_that_would_take_for_ever_elsewhere() -> None:
    checker = Checker(usable({"properties": {"a": {"pattern": "^(a+)+$"}}, "propertyNames": {"pattern": "^(.+)+$"}}))
    assert checker.errors({"a": "a" * 50_000 + "!"}) != []


@pytest.mark.parametrize(
    ("end", "top"),
    [
        (True, {}), ({}, {}), ({"type": "object"}, {}), ({"type": "string"}, {}),
        (True, {"type": "object"}), ({"type": "string"}, {"anyOf": [{"$ref": "#/$defs/d0"}]}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("keyword", ["allOf", "anyOf", "oneOf"])
def test_many_ways_to_the_same_definition_are_validated_at_once(keyword: str, end: JsonValue, top: JsonObject) -> None:
    found = refused({**ladder(keyword, end), **top})
    assert found in {
        ("", SchemaTooCostlyError.title),
        ("/type", "The schema describes an object, and nothing else"),
    }


def test_a_long_chain_of_definitions_causes_no_deep_recursion() -> None:
    chain: JsonObject = {f"d{level}": {"$ref": f"#/$defs/d{level + 1}"} for level in range(400)}
    refused({"$ref": "#/$defs/d0", "$defs": {**chain, "d400": {}}})
    assert usable({"properties": {"a": True}, "$defs": {**chain, "d400": {}}})


def test_the_steps_are_counted() -> None:
    checker = Checker(usable(doubling(10)))
    assert checker.errors({"a": 1}) == []
    with pytest.raises(SchemaTooCostlyError):
        Checker(usable(doubling(40))).errors({"a": 1})


def test_the_steps_of_all_objects_count_together() -> None:
    checker = Checker(usable(doubling(10)))
    assert checker.errors({"a": 1}) == []
    with pytest.raises(SchemaTooCostlyError):
        [checker.errors({"a": 1}) for _ in range(10)]


def test_a_deep_object_is_validated_or_refused() -> None:
    deep: JsonObject = {}
    for _ in range(5000):
        deep = {"child": deep}
    with pytest.raises(SchemaTooCostlyError):
        Checker(usable({"properties": {"child": {"$ref": "#"}}})).errors(deep)


def test_what_is_compared_is_counted_and_compared_once() -> None:
    """Comparing all pairs would take a hundred million comparisons."""
    unique = in_a(type="array", uniqueItems=True)
    numbered: list[JsonValue] = [{"x": number} for number in range(10_000)]
    assert unique.errors({"a": numbered}) == []
    assert "non-unique" in unique.errors({"a": [*numbered[:5_000], numbered[0]]})[0]
    with pytest.raises(SchemaTooCostlyError):
        unique.errors({"a": numbered})
    chosen = in_a(type="array", items={"enum": [*range(2_000)]})
    assert chosen.errors({"a": [1_999] * 10_000}) == []
    with pytest.raises(SchemaTooCostlyError):
        chosen.errors({"a": [1_999] * 10_000})


BIG: JsonObject = {"a": "x" * 150_000}
COSTLY: dict[str, tuple[JsonObject, JsonObject]] = {
    "each choice says what it is not": ({"anyOf": [{"type": "string"}] * 100}, BIG),
    "choices that nothing fits": ({"anyOf": [False] * 100}, BIG),
    "nothing fits, and no more is said": ({"allOf": [{"not": False}] * 100}, BIG),
    "names of which nothing is asked": ({"allOf": [{"propertyNames": {}}] * 100}, {str(n): 0 for n in range(1_000)}),
    "items of which nothing is asked": (
        {"properties": {"a": {"allOf": [{"items": {}}] * 100}}},
        {"a": [0] * 1_000},
    ),
    "none of them, in few steps": (
        {"properties": {"a": {"allOf": [{"not": {"contains": False}}] * 100}}},
        {"a": [0] * 1_000},
    ),
    "a long name in what is compared": (
        {"properties": {"a": {"allOf": [{"not": {"const": 1}}] * 100}}},
        {"a": {"x" * 150_000: 0}},
    ),
    "a text that is searched for what repeats": (
        {"properties": {"a": {"allOf": [{"not": {"pattern": "y{1000}"}}] * 20}}},
        {"a": "x" * 10_000},
    ),
    "a large constant": ({"allOf": [{"not": {"const": 1}}] * 100}, {"a": [0] * 1_000}),
}


@pytest.mark.parametrize("case", COSTLY)
def test_work_that_is_no_keyword_is_counted_too(case: str) -> None:
    schema, value = COSTLY[case]
    with pytest.raises(SchemaTooCostlyError):
        Checker({"type": "object", **schema}).errors(value)


def test_a_long_object_is_not_looked_at() -> None:
    assert in_a(type="string").errors({"a": "x" * MAX_CHARACTERS}) == [
        "$: the object is longer than 200,000 characters of JSON"
    ]


@pytest.mark.parametrize("draft", DRAFTS)
def test_a_long_list_is_no_work_for_the_draft(draft: str) -> None:
    """The draft's own check compares all pairs when the types differ."""
    mixed: list[JsonValue] = [*range(1_000), *map(str, range(1_000))]
    schema: JsonObject = {"$schema": draft, "properties": {"a": {"enum": mixed}}}
    assert Checker(usable(schema)).errors({"a": "7"}) == []
    assert "not of type" in refused({"$schema": draft, "type": "object", "required": mixed})[1]


def test_a_schema_is_looked_at_in_proportion_to_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[JsonValue] = []
    steps_of = InPlace._steps_of

    def counted(self: InPlace, schema: JsonValue) -> int:
        looked.append(schema)
        return steps_of(self, schema)

    monkeypatch.setattr(InPlace, "_steps_of", counted)
    counts = []
    for levels in (20, 40):
        looked.clear()
        assert refused(fanning(levels)) == ("", SchemaTooCostlyError.title)
        counts.append(len(looked))
    assert counts[1] < 2.2 * counts[0] < 500


def test_the_estimated_steps_suffice() -> None:
    """The estimated cost of a schema is at least its actual cost."""
    schema: JsonObject = {
        "type": "object", "required": ["a"], "anyOf": [{"$ref": "#/$defs/d0"}, {"not": {"$ref": "#/$defs/d0"}}],
        "if": {"required": ["b"]}, "then": {"$ref": "#/$defs/d0"}, "else": {"minProperties": 0},
        "$defs": doubling(6)["$defs"],
    }  # fmt: skip
    checker = Checker(usable(schema))
    checker.errors({})
    assert 100 < MAX_STEPS - checker._left <= InPlace(schema, DRAFTS[NEWEST]).steps()
