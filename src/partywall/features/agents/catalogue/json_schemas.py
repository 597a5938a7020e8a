"""Schemas that callers bring: refused unless they are of a known draft, small, closed in themselves and cheap."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Final, cast

from jsonschema import Draft6Validator, Draft7Validator, Draft201909Validator, Draft202012Validator
from jsonschema.exceptions import SchemaError
from pydantic import JsonValue
from pydantic_core import PydanticCustomError
from pydantic_core import SchemaError as PatternError

from partywall.core.schemas import JsonObject
from partywall.features.agents.catalogue.checking import (
    DRAFTS,
    MAX_DIGITS,
    Checker,
    Draft,
    compiled,
    draft_of,
    has_long_number,
    inner,
    repetitions,
)
from partywall.features.agents.exceptions import SchemaTooCostlyError

MAX_BYTES: Final = 16 * 1024
# Objects and booleans in it, whether they are schemas or data: the draft's own check meets both.
MAX_SUBSCHEMAS: Final = 500
MAX_PATTERNS: Final = 20
MAX_PATTERN_CHARACTERS: Final = 200
MAX_REPETITIONS: Final = 1_000
# Of a list that is no list of names or of schemas, for the draft's own check compares each with each.
_MANY: Final = 100
# They lead elsewhere, change what a reference means, or have Python's regular expressions run over names.
REFUSED: Final = frozenset(
    {"$id", "$schema", "$anchor", "$dynamicAnchor", "$dynamicRef", "$recursiveAnchor", "$recursiveRef", "$vocabulary",
     "patternProperties", "unevaluatedItems", "unevaluatedProperties"}
)  # fmt: skip
_REFERENCE: Final = re.compile(r"#(?:/(\$defs|definitions)/([A-Za-z0-9_. -]+))?")

# Where schemas stand in a schema: as the value, in a list, or each under a name of the caller's. All else is data.
_APPLIED: Final = frozenset(
    {"additionalItems", "additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then"}
)
_LISTED: Final = frozenset({"allOf", "anyOf", "items", "oneOf", "prefixItems"})
_NAMED: Final = frozenset({"$defs", "definitions", "dependencies", "dependentSchemas", "properties"})
# They ask the same object.
_IN_PLACE: Final = ("allOf", "anyOf", "oneOf")
# Where the draft's own schema looks for definitions: what stands elsewhere was not checked to be a schema.
_CONTAINERS: Final[Mapping[Draft, tuple[str, ...]]] = {
    Draft202012Validator: ("$defs", "definitions"),
    Draft201909Validator: ("$defs", "definitions"),
    Draft7Validator: ("definitions",),
    Draft6Validator: ("definitions",),
}


def usable(schema: JsonObject) -> JsonObject:
    """For pydantic: the schema as it is. Its errors carry a pointer into it.

    Takes time in proportion to the schema, whatever refers to what.
    """
    if len(json.dumps(schema)) > MAX_BYTES:
        raise _refusal("", f"A schema has at most {MAX_BYTES} bytes of JSON")
    draft = _draft_of(schema)
    bare = inner(schema)
    _refuse_large(bare)
    _refuse_unusual(bare, _CONTAINERS[draft])
    try:
        draft.check_schema(_shortened(bare), format_checker=None)
    except SchemaError as error:
        raise _refusal(_pointer(error.absolute_path), error.message[:300]) from error
    if not _is_of_objects(bare, draft):
        raise _refusal("/type", "The schema describes an object, and nothing else")
    try:
        Checker(schema).errors({})
    except SchemaTooCostlyError as error:
        raise _refusal("", error.detail) from error
    return schema


def _draft_of(schema: JsonObject) -> Draft:
    found = draft_of(schema)
    if found is None:
        raise _refusal("/$schema", f"The known drafts are {', '.join(DRAFTS)}")
    return found


def _shortened(value: JsonValue) -> JsonValue:
    """As valid as it was: of a long list of other things than names or schemas, one of each type."""
    if isinstance(value, dict):
        return {name: _shortened(each) for name, each in value.items()}
    if not isinstance(value, list):
        return value
    types = {type(each) for each in value}
    if len(value) <= _MANY or types <= {str} or types <= {dict, bool}:
        return [_shortened(each) for each in value]
    return [_shortened(each) for each in {type(each): each for each in value}.values()]


def _is_of_objects(root: JsonObject, draft: Draft) -> bool:
    """Whether it says so: by its type, by the properties that it names, or by the schemas that it is made of."""
    containers = {name: cast("JsonObject", root.get(name, {})) for name in _CONTAINERS[draft]}
    schemas = {f"#/{name}/{each}": schema for name, named in containers.items() for each, schema in named.items()}
    schemas["#"] = root
    said: dict[str, bool] = {}
    try:
        # Each once, and those that it refers to before it: who follows references as they stand may never end.
        for reference in TopologicalSorter({at: _asked(schema) for at, schema in schemas.items()}).static_order():
            said[reference] = _says_so(schemas[reference], said, draft)
    except CycleError as error:
        ring = ", ".join(error.args[1])
        raise _refusal("", f"References lead in a ring before they say anything of the object: {ring[:200]}") from error
    return said["#"]


def _asked(schema: JsonValue) -> set[str]:
    """The references that are followed for the same object."""
    if not isinstance(schema, dict):
        return set()
    reference = schema.get("$ref")
    own = {reference} if isinstance(reference, str) else set[str]()
    return own.union(*(_asked(each) for name in _IN_PLACE for each in _list(schema, name)))


def _says_so(schema: JsonValue, said: Mapping[str, bool], draft: Draft) -> bool:
    if not isinstance(schema, dict):
        return False
    led = said.get(str(schema.get("$ref")), False)
    if "$ref" in schema and draft in (Draft6Validator, Draft7Validator):
        return led  # they overlook what stands beside a reference
    if "type" in schema:
        return schema["type"] in ("object", ["object"])
    all_, any_, one = ([_says_so(each, said, draft) for each in _list(schema, name)] for name in _IN_PLACE)
    return led or "properties" in schema or any(all_) or any(each != [] and all(each) for each in (any_, one))


def _list(schema: JsonObject, name: str) -> list[JsonValue]:
    return cast("list[JsonValue]", schema.get(name, []))


def _refuse_large(schema: JsonObject) -> None:
    subschemas = 0
    for pointer, value in _values(schema, ""):
        subschemas += isinstance(value, dict | bool)
        if subschemas > MAX_SUBSCHEMAS:
            raise _refusal(pointer, f"A schema has at most {MAX_SUBSCHEMAS} parts")
    if has_long_number(schema):
        raise _refusal("", f"An integer in a schema has at most {MAX_DIGITS} digits")


def _values(value: JsonValue, pointer: str) -> Iterator[tuple[str, JsonValue]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in items:
        at = pointer + _pointer([name])
        yield at, each
        yield from _values(each, at)


def _refuse_unusual(root: JsonObject, containers: Collection[str]) -> None:
    patterns = 0
    for pointer, schema in _schemas(root, ""):
        for name, value in schema.items():
            at = pointer + _pointer([name])
            if name in REFUSED:
                raise _refusal(at, f"{name} is not supported")
            if name == "$ref" and isinstance(value, str) and not _leads_inside(root, value, containers):
                raise _refusal(at, "A reference leads to # or to a definition at the top of the same schema")
            if name == "pattern" and isinstance(value, str):
                patterns += 1
                if patterns > MAX_PATTERNS:
                    raise _refusal(at, f"A schema has at most {MAX_PATTERNS} patterns")
                _refuse_pattern(at, value)


def _schemas(schema: JsonValue, pointer: str) -> Iterator[tuple[str, JsonObject]]:
    """It and those in it, outermost first. What stands elsewhere is data, and a property's name is no keyword."""
    if not isinstance(schema, dict):
        return
    yield pointer, schema
    for name, value in schema.items():
        at = pointer + _pointer([name])
        inside: Iterable[tuple[str | int, JsonValue]] = ()
        if name in _NAMED and isinstance(value, dict):
            inside = value.items()
        elif name in _LISTED and isinstance(value, list):
            inside = enumerate(value)
        elif name in _APPLIED:
            yield from _schemas(value, at)
        for each, part in inside:
            yield from _schemas(part, at + _pointer([each]))


def _leads_inside(schema: JsonObject, reference: str, containers: Collection[str]) -> bool:
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        return False
    container, name = match.groups()
    if container is None:
        return True
    known = schema.get(container)
    return container in containers and isinstance(known, dict) and isinstance(known.get(name), dict | bool)


def _refuse_pattern(pointer: str, pattern: str) -> None:
    if len(pattern) > MAX_PATTERN_CHARACTERS or repetitions(pattern) > MAX_REPETITIONS:
        limits = f"{MAX_PATTERN_CHARACTERS} characters and {MAX_REPETITIONS} repetitions"
        raise _refusal(pointer, f"A pattern has at most {limits}")
    try:
        compiled(pattern)
    except PatternError as error:
        raise _refusal(pointer, "Not a pattern of the supported kind: no look-around, no backreferences") from error


def _pointer(path: Iterable[str | int]) -> str:
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)


def _refusal(pointer: str, message: str) -> PydanticCustomError:
    # The message is no template: what is in it stands as it is.
    return PydanticCustomError("schema_refused", "{reason}", {"reason": message, "pointer": pointer})
