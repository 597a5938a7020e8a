"""Schemas that callers bring: refused unless they are of a known draft, small, closed in themselves and cheap."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from math import prod
from typing import Final, cast

from jsonschema import Draft6Validator, Draft7Validator, Draft201909Validator, Draft202012Validator
from jsonschema.exceptions import SchemaError
from pydantic import JsonValue
from pydantic_core import PydanticCustomError
from pydantic_core import SchemaError as PatternError

from partywall.core.schemas import JsonObject
from partywall.features.agents.catalogue.checking import DRAFTS, Checker, Draft, compiled, draft_of, inner
from partywall.features.agents.exceptions import SchemaTooCostlyError

MAX_BYTES: Final = 16 * 1024
# Objects and booleans in it, for these are the schemas in a schema.
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
_REPETITION: Final = re.compile(r"\{(\d{1,9})?(?:,(\d{1,9})?)?\}")
_REFERENCE: Final = re.compile(r"#(?:/(\$defs|definitions)/([A-Za-z0-9_. -]+))?")

# Where the draft's own schema looks for definitions: what stands elsewhere was not checked to be a schema.
_CONTAINERS: Final[Mapping[Draft, tuple[str, ...]]] = {
    Draft202012Validator: ("$defs", "definitions"),
    Draft201909Validator: ("$defs", "definitions"),
    Draft7Validator: ("definitions",),
    Draft6Validator: ("definitions",),
}


def usable(schema: JsonObject) -> JsonObject:
    """For pydantic: the schema as it is. Its errors carry a pointer into it."""
    if len(json.dumps(schema)) > MAX_BYTES:
        raise _refusal("", f"A schema has at most {MAX_BYTES} bytes of JSON")
    draft = _draft_of(schema)
    bare = inner(schema)
    _refuse_unusual(bare, _CONTAINERS[draft])
    try:
        draft.check_schema(_shortened(bare), format_checker=None)
    except SchemaError as error:
        raise _refusal(_pointer(error.absolute_path), error.message[:300]) from error
    if not _is_of_objects(bare, bare, draft):
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


def _is_of_objects(schema: JsonValue, root: JsonObject, draft: Draft, seen: frozenset[str] = frozenset()) -> bool:
    """Whether it says so: by its type, by the properties that it names, or by the schemas that it is made of."""
    if not isinstance(schema, dict):
        return False
    reference = schema.get("$ref")
    target = _target(root, reference) if isinstance(reference, str) else None
    led = isinstance(reference, str) and (reference in seen or _is_of_objects(target, root, draft, seen | {reference}))
    if reference is not None and draft in (Draft6Validator, Draft7Validator):
        return led  # they overlook what stands beside a reference
    if "type" in schema:
        return schema["type"] in ("object", ["object"])
    all_, any_, one = (cast("list[JsonValue]", schema.get(name, [])) for name in ("allOf", "anyOf", "oneOf"))
    return (
        led
        or "properties" in schema
        or any(_is_of_objects(each, root, draft, seen) for each in all_)
        or any(each != [] and all(_is_of_objects(one_, root, draft, seen) for one_ in each) for each in (any_, one))
    )


def _target(root: JsonObject, reference: str) -> JsonValue:
    _, container, name = [*reference.split("/", 2), "", ""][:3]
    return cast("JsonObject", root[container])[name] if container else root


def _refuse_unusual(schema: JsonObject, containers: Collection[str]) -> None:
    subschemas = patterns = 0
    for pointer, name, value in _members(schema, ""):
        subschemas += isinstance(value, dict | bool)
        if name in REFUSED:
            raise _refusal(pointer, f"{name} is not supported")
        if name == "$ref" and isinstance(value, str) and not _leads_inside(schema, value, containers):
            raise _refusal(pointer, "A reference leads to # or to a definition at the top of the same schema")
        if name == "pattern" and isinstance(value, str):
            patterns += 1
            _refuse_pattern(pointer, value)
        if subschemas > MAX_SUBSCHEMAS or patterns > MAX_PATTERNS:
            raise _refusal(pointer, f"A schema has at most {MAX_SUBSCHEMAS} parts and {MAX_PATTERNS} patterns")


def _members(value: JsonValue, pointer: str) -> Iterator[tuple[str, str, JsonValue]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in items:
        at = f"{pointer}/{str(name).replace('~', '~0').replace('/', '~1')}"
        yield at, str(name), each
        yield from _members(each, at)


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
    counts = [int(most or least or 1) for least, most in _REPETITION.findall(pattern)]
    if len(pattern) > MAX_PATTERN_CHARACTERS or prod(counts) > MAX_REPETITIONS:
        limits = f"{MAX_PATTERN_CHARACTERS} characters and {MAX_REPETITIONS} repetitions"
        raise _refusal(pointer, f"A pattern has at most {limits}")
    try:
        compiled(pattern)
    except PatternError as error:
        raise _refusal(pointer, "Not a pattern of the supported kind: no look-around, no backreferences") from error


def _pointer(path: object) -> str:
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in cast("list[str | int]", path))


def _refusal(pointer: str, message: str) -> PydanticCustomError:
    # The message is no template: what is in it stands as it is.
    return PydanticCustomError("schema_refused", "{reason}", {"reason": message, "pointer": pointer})
