"""Schemas that are refused before anything is checked by them."""

from __future__ import annotations

import json

import pytest

from partywall.core.json_schema.checker import DRAFTS, Checker
from partywall.core.json_schema.limits import MAX_PATTERNS, MAX_SUBSCHEMAS, REFUSED
from partywall.core.schemas import JsonObject
from tests.core.json_schema.schemas import refused, usable


@pytest.mark.parametrize("draft", DRAFTS)
def test_drafts_are_known_by_their_names(draft: str) -> None:
    schema: JsonObject = {"$schema": draft, "$id": "https://example.com/x", "properties": {"a": {"const": 1}}}
    assert Checker(usable(schema)).errors({"a": 2}) != []
    assert usable({"$schema": f"{draft}#", "type": "object"})


CASES: dict[str, tuple[object, str, str]] = {
    "no schema": ({"type": "thing"}, "/type", "not valid"),
    "a bad keyword inside": ({"properties": {"a/b": {"minimum": "1"}}}, "/properties/a~1b/minimum", "not of type"),
    "an unknown draft": ({"$schema": "http://json-schema.org/draft-03/schema#"}, "/$schema", "known drafts"),
    "a draft that is no name": ({"$schema": []}, "/$schema", "known drafts"),
    "not for objects": ({"type": "array"}, "/type", "describes an object"),
    "too long": ({"description": "x" * 16_384}, "", "bytes"),
    "too many parts": ({"anyOf": [{}] * (MAX_SUBSCHEMAS + 1)}, f"/anyOf/{MAX_SUBSCHEMAS}", "parts"),
    "too many parts that say true": ({"anyOf": [True] * (MAX_SUBSCHEMAS + 1)}, f"/anyOf/{MAX_SUBSCHEMAS}", "parts"),
    "too many patterns": ({"allOf": [{"pattern": "a"}] * (MAX_PATTERNS + 1)}, "/allOf/20/pattern", "patterns"),
    "a long pattern": ({"pattern": "a" * 201}, "/pattern", "characters"),
    "a pattern that explodes": ({"pattern": "(a{100}){200}"}, "/pattern", "once compiled"),
    "a pattern with look-around": ({"pattern": "(?=a)b"}, "/pattern", "look-around"),
    "a pattern that is none": ({"pattern": "("}, "/pattern", "supported kind"),
    "a reference elsewhere": ({"$ref": "https://example.com/schema"}, "/$ref", "leads to #"),
    "a reference to a file": (
        {"properties": {"a": {"$ref": "file:///etc/passwd"}}},
        "/properties/a/$ref",
        "leads to #",
    ),
    "a reference to a name": ({"$ref": "other.json#/$defs/a", "$defs": {"a": {}}}, "/$ref", "leads to #"),
    "a reference to nothing": ({"$ref": "#/$defs/a"}, "/$ref", "leads to #"),
    "a reference into data": ({"$ref": "#/const/a", "const": {"a": {}}}, "/$ref", "leads to #"),
    "a reference to what is no schema here": (
        {"$schema": "http://json-schema.org/draft-07/schema", "$ref": "#/$defs/a", "$defs": {"a": {"type": 5}}},
        "/$ref",
        "leads to #",
    ),
    "a reference to itself": ({"$ref": "#"}, "", "form a cycle"),
    "a ring of references": (
        {
            "type": "object",
            "$defs": {"a": {"anyOf": [True, {"$ref": "#/$defs/b"}]}, "b": {"allOf": [{"$ref": "#/$defs/a"}]}},
        },
        "",
        "form a cycle",
    ),
    "a number without end": ({"properties": {"a": {"multipleOf": 10**100}}}, "", "100 digits"),
    "what is not supported, under a name": ({"properties": {"$id": {"$id": "a"}}}, "/properties/$id/$id", "supported"),
    "what is not supported, in a list": ({"anyOf": [{"then": {"$anchor": "a"}}]}, "/anyOf/0/then/$anchor", "supported"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_schema_is_refused_when_the_run_is_started(case: str) -> None:
    schema, pointer, message = CASES[case]
    found = refused(schema)
    assert found[0] == pointer
    assert message in found[1]


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_external_references_are_refused_everywhere(name: str) -> None:
    pointer, message = refused({"properties": {"a": {"items": {name: "https://json-schema.org/draft/2020-12/schema"}}}})
    assert pointer == f"/properties/a/items/{name}"
    assert "not supported" in message


@pytest.mark.parametrize("name", [*sorted(REFUSED), "$ref", "pattern"])
def test_names_and_data_are_no_keywords(name: str) -> None:
    data: JsonObject = {name: "http://127.0.0.1/(?=x)"}
    schema: JsonObject = {
        "properties": {name: {"const": data}, "b": {"enum": [data], "default": data, "examples": [data]}},
        "required": [name],
        "dependentSchemas": {name: {"type": "object"}},
    }
    checker = Checker(usable(schema))
    assert checker.errors({name: data, "b": data}) == []
    assert len(checker.errors({name: 1, "b": {name: "other"}})) == 2


def test_a_schema_as_pydantic_writes_it_is_usable() -> None:
    schema = {
        "$defs": {"Line": {"properties": {"text": {"type": "string"}}, "required": ["text"], "type": "object"}},
        "properties": {
            "lines": {"items": {"$ref": "#/$defs/Line"}, "type": "array"},
            "pattern": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        },
        "required": ["lines"],
        "title": "Invoice",
        "type": "object",
    }
    assert Checker(usable(json.loads(json.dumps(schema)))).errors({"lines": [{"text": 1}]}) != []


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"title": "Anything"},
        {"type": ["object", "null"]},
        {"anyOf": [{"type": "object"}, {"type": "null"}]},
        {"$ref": "#/$defs/a", "$defs": {"a": {}}},
        {"$schema": "http://json-schema.org/draft-07/schema", "type": "object", "$ref": "#/definitions/a",
         "definitions": {"a": True}},
    ],
)  # fmt: skip
def test_a_schema_says_that_it_describes_objects(schema: JsonObject) -> None:
    assert refused(schema) == ("/type", "The schema describes an object, and nothing else")


@pytest.mark.parametrize(
    "schema",
    [
        {"type": ["object"]},
        {"$ref": "#/$defs/a", "$defs": {"a": {"type": "object"}}},
        {"allOf": [{"required": ["a"]}, {"type": "object"}]},
        {"oneOf": [{"properties": {"a": True}}, {"type": "object"}]},
    ],
)
def test_a_schema_says_so_in_several_ways(schema: JsonObject) -> None:
    assert usable(schema) is schema


@pytest.mark.parametrize("keyword", ["not", "if", "then", "else"])
def test_a_cycle_through_a_condition_is_found(keyword: str) -> None:
    assert "form a cycle" in refused({"type": "object", keyword: {"$ref": "#"}})[1]
    assert "form a cycle" in refused({"type": "object", "dependentSchemas": {"a": {keyword: {"$ref": "#"}}}})[1]
