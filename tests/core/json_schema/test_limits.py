from __future__ import annotations

import json
import socket
from threading import Event
from typing import NoReturn, cast

import pytest
from pydantic import JsonValue

from partywall.core.json_schema.checker import DRAFTS, MAX_CHARACTERS, MAX_STEPS, NEWEST, Checker, StoppedError
from partywall.core.json_schema.exceptions import SchemaRefusedError, SchemaTooCostlyError
from partywall.core.json_schema.in_place import InPlace
from partywall.core.json_schema.limits import MAX_PATTERNS, MAX_SUBSCHEMAS, REFUSED, refuse_unusable
from partywall.core.schemas import JsonObject

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


def usable(schema: JsonObject) -> JsonObject:
    refuse_unusable(schema)
    return schema


def refused(schema: object) -> tuple[str, str]:
    """The pointer and message of the error."""
    with pytest.raises(SchemaRefusedError) as error:
        usable(cast("JsonObject", schema))
    return error.value.pointer, str(error.value)


def test_objects_are_validated_by_the_schema() -> None:
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
    assert usable({"$schema": f"{draft}#", "type": "object"})


@pytest.mark.parametrize(
    ("name", "fits", "others"),
    [
        (
            "date-time",
            ["2026-11-21T12:00:00Z", "2026-11-21t12:00:00.123456789z", "2026-11-21T12:00:00-23:59",
             "2016-12-31T23:59:60Z", "2016-12-31T15:59:60.5-08:00", "2017-01-01T05:29:60+05:30"],
            ["2026-11-21T12:00:00", "tomorrow", "2026-W01-1T00Z", "2026-01-01T00:00+01", "2026-01-01T00:00:00+01",
             "2026-11-21 12:00:00Z", "2026-11-21T12:00:00.Z", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z",
             "2026-11-21T24:00:00Z", "2026-11-21T12:00:61Z", "2026-11-21T12:00:60Z", "2016-12-31T23:59:60+01:00",
             "2026-11-21T12:00:00+24:00", "2026-11-21T12:00:00+01:60", "2026-11-21T12:00:00Z\n",
             "\u0662026-11-21T12:00:00Z"],
        ),
        (
            "email",
            ["ann@example.com", "a.b+c@mail.example.org", "root@localhost", '"a b"@example.com', "a@[127.0.0.1]",
             "a@[IPv6:2001:db8::1]", "a" * 64 + "@example.com"],
            ["@", "a@", "@b", "a", "a b@example.com", "a@b@example.com", ".a@example.com", "a@-b.com", "ü@example.com",
             "Ann <ann@example.com>", "a@example.com\n", "a" * 65 + "@example.com", "a@[127.0.0.256]",
             "a@[::1]", "a..b@c.d", "a@b..c", "a@" + "b" * 64, "a@" + "b." * 100_000],
        ),
        ("date", ["2026-01-01"], ["20260101", "2026-W01-1", "2026-02-30"]),
    ],
)  # fmt: skip
def test_formats_are_those_of_their_rfcs(name: str, fits: list[str], others: list[str]) -> None:
    def wrong(value: JsonValue) -> bool:
        return in_a(format=name).errors({"a": value}) != []

    assert [each for each in fits if wrong(each)] == []
    assert [each for each in others if not wrong(each)] == []
    assert not wrong(1)


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


def test_a_pattern_that_would_take_for_ever_elsewhere() -> None:
    checker = Checker(usable({"properties": {"a": {"pattern": "^(a+)+$"}}, "propertyNames": {"pattern": "^(.+)+$"}}))
    assert checker.errors({"a": "a" * 50_000 + "!"}) != []


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


LEVELS = 200


def ladder(keyword: str, end: JsonValue) -> JsonObject:
    """A small schema with 2 ** LEVELS paths."""
    names: JsonObject = {}
    for level in range(LEVELS):
        down: JsonObject = {"$ref": f"#/$defs/d{level + 1}"}
        names[f"d{level}"] = {keyword: [down], **down}
    return {"$ref": "#/$defs/d0", "$defs": {**names, f"d{LEVELS}": end}}


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


def doubling(depth: int) -> JsonObject:
    """A small schema that takes 2 ** depth steps."""
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


def test_a_deep_object_is_validated_or_refused() -> None:
    deep: JsonObject = {}
    for _ in range(5000):
        deep = {"child": deep}
    with pytest.raises(SchemaTooCostlyError):
        Checker(usable({"properties": {"child": {"$ref": "#"}}})).errors(deep)


def test_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even when the check at the start is bypassed."""

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


def in_a(**keywords: JsonValue) -> Checker:
    return Checker(usable({"type": "object", "properties": {"a": keywords}}))


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


def test_a_check_stops_when_nobody_waits_for_it() -> None:
    stop = Event()
    checker = Checker(INVOICE, stop)
    assert checker.errors({"number": "INV-2026", "total": 1}) == []
    stop.set()
    with pytest.raises(StoppedError):
        checker.errors({"number": "INV-2026", "total": 1})


def test_a_long_object_is_not_looked_at() -> None:
    assert in_a(type="string").errors({"a": "x" * MAX_CHARACTERS}) == [
        "$: the object is longer than 200,000 characters of JSON"
    ]


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


@pytest.mark.parametrize("draft", DRAFTS)
def test_a_long_list_is_no_work_for_the_draft(draft: str) -> None:
    """The draft's own check compares all pairs when the types differ."""
    mixed: list[JsonValue] = [*range(1_000), *map(str, range(1_000))]
    schema: JsonObject = {"$schema": draft, "properties": {"a": {"enum": mixed}}}
    assert Checker(usable(schema)).errors({"a": "7"}) == []
    assert "not of type" in refused({"$schema": draft, "type": "object", "required": mixed})[1]


@pytest.mark.parametrize(
    ("items", "unique"),
    [
        ([1, 1.0], False),
        ([1, True], True),
        ([{"x": 1, "y": [2]}, {"y": [2.0], "x": 1}], False),
        (["1", 1], True),
        ([[], {}], True),
        ([[0], [False]], True),
    ],
)
def test_equal_is_what_json_schema_calls_equal(items: list[JsonValue], unique: bool) -> None:
    assert (in_a(uniqueItems=True).errors({"a": items}) == []) is unique
    assert (in_a(const=items[0]).errors({"a": items[1]}) == []) is not unique
    assert (in_a(enum=["other", items[0]]).errors({"a": items[1]}) == []) is not unique


def test_a_number_beyond_reason_does_not_fit() -> None:
    assert in_a(multipleOf=0.01).errors({"a": 10**4_000}) == ["$: an integer has more than 100 digits"]
    assert in_a(multipleOf=0.01).errors({"a": 10**99}) == []
    assert in_a(multipleOf=0.1).errors({"a": 0.3}) == []
    assert in_a(multipleOf=0.1).errors({"a": 0.35}) == ["$.a: 0.35 is not a multiple of 0.1"]


def fanning(levels: int) -> JsonObject:
    """A small schema with 20 * 8 ** levels paths."""
    names: JsonObject = {f"d{n}": {"oneOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 8} for n in range(levels)}
    return {"anyOf": [{"$ref": "#/$defs/d0"}] * 20, "$defs": {**names, f"d{levels}": {"type": "object"}}}


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


@pytest.mark.parametrize("keyword", ["not", "if", "then", "else"])
def test_a_cycle_through_a_condition_is_found(keyword: str) -> None:
    assert "form a cycle" in refused({"type": "object", keyword: {"$ref": "#"}})[1]
    assert "form a cycle" in refused({"type": "object", "dependentSchemas": {"a": {keyword: {"$ref": "#"}}}})[1]


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
