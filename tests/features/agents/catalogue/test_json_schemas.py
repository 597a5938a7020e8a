from __future__ import annotations

import json
import socket
from typing import NoReturn, cast

import pytest
from pydantic_core import PydanticCustomError

from partywall.core.schemas import JsonObject
from partywall.features.agents.catalogue.json_schemas import (
    DRAFTS,
    MAX_PATTERNS,
    MAX_SUBSCHEMAS,
    REFUSED,
    Checker,
    usable,
)
from partywall.features.agents.exceptions import SchemaTooCostlyError

INVOICE: JsonObject = {
    "type": "object",
    "properties": {
        "number": {"type": "string", "pattern": r"^INV-\d{4}$"},
        "due": {"type": "string", "format": "date"},
        "total": {"$ref": "#/$defs/Amount"},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/Amount"}},
    },
    "required": ["number", "total"],
    "additionalProperties": False,
    "$defs": {"Amount": {"type": "number", "minimum": 0}},
}


def refused(schema: object) -> tuple[str, str]:
    """The pointer and the message."""
    with pytest.raises(PydanticCustomError) as error:
        usable(cast("JsonObject", schema))
    return str((error.value.context or {})["pointer"]), error.value.message()


def test_objects_are_judged_by_the_schema() -> None:
    checker = Checker(usable(INVOICE))
    assert checker.errors({"number": "INV-2026", "due": "2026-11-21", "total": 12.5, "lines": [1]}) == []
    assert checker.errors({"number": "2026", "total": 1}) == [r"$.number: '2026' does not match '^INV-\\d{4}$'"]
    assert checker.errors({"number": "INV-2026", "total": -1})[0].startswith("$.total: -1 is less")
    assert "'2026-13-01' is not a 'date'" in checker.errors({"number": "INV-2026", "total": 1, "due": "2026-13-01"})[0]
    assert "'total' is a required property" in checker.errors({"number": "INV-2026"})[0]
    assert "[1]" in checker.errors({"number": "INV-2026", "total": 1, "lines": [1, -1]})[0]
    assert "Additional" in checker.errors({"number": "INV-2026", "total": 1, "more": 1})[0]


@pytest.mark.parametrize("draft", DRAFTS)
def test_drafts_are_known_by_their_names(draft: str) -> None:
    schema: JsonObject = {"$schema": draft, "$id": "https://example.com/x", "properties": {"a": {"const": 1}}}
    assert Checker(usable(schema)).errors({"a": 2}) != []
    assert usable({"$schema": f"{draft}#"})


def test_an_instant_has_an_offset() -> None:
    checker = Checker(usable({"properties": {"at": {"format": "date-time"}}}))
    assert checker.errors({"at": "2026-11-21T12:00:00Z"}) == []
    assert checker.errors({"at": "2026-11-21T12:00:00"}) != []
    assert checker.errors({"at": "tomorrow"}) != []
    assert checker.errors({"at": 1}) == []


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
    "a pattern that explodes": ({"pattern": "(a{100}){100}"}, "/pattern", "repetitions"),
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
    "a ring of references": ({"$ref": "#"}, "", "too many steps"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_schema_is_refused_when_the_run_is_started(case: str) -> None:
    schema, pointer, message = CASES[case]
    found = refused(schema)
    assert found[0] == pointer
    assert message in found[1]


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_leads_elsewhere_is_refused_wherever_it_stands(name: str) -> None:
    pointer, message = refused({"properties": {"a": {"items": {name: "https://json-schema.org/draft/2020-12/schema"}}}})
    assert pointer == f"/properties/a/items/{name}"
    assert "not supported" in message


def test_a_pattern_that_would_take_for_ever_elsewhere() -> None:
    checker = Checker(usable({"properties": {"a": {"pattern": "^(a+)+$"}}, "propertyNames": {"pattern": "^(.+)+$"}}))
    assert checker.errors({"a": "a" * 50_000 + "!"}) != []


def doubling(depth: int) -> JsonObject:
    """Small, but takes 2 ** depth steps."""
    names: JsonObject = {
        f"d{level}": {"allOf": [{"$ref": f"#/$defs/d{level + 1}"}] * 2} for level in range(depth)
    }  # fmt: skip
    return {"properties": {"a": {"$ref": "#/$defs/d0"}}, "$defs": {**names, f"d{depth}": {}}}


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


def test_a_deep_object_is_judged_or_refused() -> None:
    deep: JsonObject = {}
    for _ in range(5000):
        deep = {"child": deep}
    with pytest.raises(SchemaTooCostlyError):
        Checker(usable({"properties": {"child": {"$ref": "#"}}})).errors(deep)


def test_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even past the refusal at the start."""

    def connect(*_: object) -> NoReturn:
        raise AssertionError("a schema was fetched")

    monkeypatch.setattr(socket.socket, "connect", connect)
    with pytest.raises(Exception, match="Unresolvable"):
        Checker({"$ref": "http://127.0.0.1:9/schema"}).errors({})


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
