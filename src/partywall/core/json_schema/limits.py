"""Accepts callers' JSON Schemas only if they have a known draft and are small, self-contained and cheap to check."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

from pydantic import JsonValue

from partywall.core.field_errors import pointer as pointer_to
from partywall.core.json_schema.checker import DRAFTS, MAX_DIGITS, MAX_STEPS, Draft, draft_of, has_long_number, inner
from partywall.core.json_schema.exceptions import SchemaRefusedError, SchemaTooCostlyError
from partywall.core.json_schema.in_place import CONTAINERS, InPlace
from partywall.core.json_schema.metaschemas import errors
from partywall.core.json_schema.pattern_sizes import Measured, UnsupportedPatternError, measured
from partywall.core.json_schema.patterns import MAX_CHARACTERS, MAX_COMPILED, Pattern, forgotten_patterns
from partywall.core.schemas import JsonObject

MAX_BYTES: Final = 16 * 1024
# Objects and booleans, whether schemas or data: the metaschema check visits both.
MAX_SUBSCHEMAS: Final = 500
MAX_PATTERNS: Final = 20
# Length of a list of other things than names or schemas: the metaschema check compares every pair of items.
_MANY: Final = 100
# These point elsewhere, change what a reference means, or run Python's regular expressions on names.
REFUSED: Final = frozenset(
    {"$id", "$schema", "$anchor", "$dynamicAnchor", "$dynamicRef", "$recursiveAnchor", "$recursiveRef", "$vocabulary",
     "patternProperties", "unevaluatedItems", "unevaluatedProperties"}
)  # fmt: skip
_UNSUPPORTED: Final = "Not a pattern of the supported kind: no look-around, no backreferences, no class inside a class"
_REFERENCE: Final = re.compile(r"#(?:/(\$defs|definitions)/([A-Za-z0-9_. -]+))?")

# Keywords that hold schemas: as their value, in a list, or under names that the caller chooses. All else is data.
_APPLIED: Final = frozenset(
    {"additionalItems", "additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then"}
)
_LISTED: Final = frozenset({"allOf", "anyOf", "items", "oneOf", "prefixItems"})
_NAMED: Final = frozenset({"$defs", "definitions", "dependencies", "dependentSchemas", "properties"})


def refuse_unusable(schema: JsonObject) -> None:
    """Raises SchemaRefusedError. Takes time linear in the schema, whatever its references."""
    if len(json.dumps(schema)) > MAX_BYTES:
        raise SchemaRefusedError("", f"A schema has at most {MAX_BYTES} bytes of JSON")
    draft = _draft_of(schema)
    bare = inner(schema)
    _refuse_large(bare)
    _refuse_patterns(_patterns_in(bare, CONTAINERS[draft]))
    for error in errors(_shortened(bare), draft):
        raise SchemaRefusedError(pointer_to(error.absolute_path), error.message[:300])
    in_place = InPlace(bare, draft)
    if not in_place.is_of_objects():
        raise SchemaRefusedError("/type", "The schema describes an object, and nothing else")
    if in_place.steps() > MAX_STEPS:
        raise SchemaRefusedError("", SchemaTooCostlyError.title)


def _draft_of(schema: JsonObject) -> Draft:
    found = draft_of(schema)
    if found is None:
        raise SchemaRefusedError("/$schema", f"The known drafts are {', '.join(DRAFTS)}")
    return found


def _shortened(value: JsonValue) -> JsonValue:
    """Keeps the schema's validity, but shortens long lists of data to one item of each type."""
    if isinstance(value, dict):
        return {name: _shortened(each) for name, each in value.items()}
    if not isinstance(value, list):
        return value
    types = {type(each) for each in value}
    if len(value) <= _MANY or types <= {str} or types <= {dict, bool}:
        return [_shortened(each) for each in value]
    return [_shortened(each) for each in {type(each): each for each in value}.values()]


def _refuse_large(schema: JsonObject) -> None:
    subschemas = 0
    for pointer, value in _values(schema, ""):
        subschemas += isinstance(value, dict | bool)
        if subschemas > MAX_SUBSCHEMAS:
            raise SchemaRefusedError(pointer, f"A schema has at most {MAX_SUBSCHEMAS} parts")
    if has_long_number(schema):
        raise SchemaRefusedError("", f"An integer in a schema has at most {MAX_DIGITS} digits")


def _values(value: JsonValue, pointer: str) -> Iterator[tuple[str, JsonValue]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in items:
        at = pointer + pointer_to([name])
        yield at, each
        yield from _values(each, at)


def _patterns_in(root: JsonObject, containers: Collection[str]) -> dict[str, str]:
    """The patterns in a schema, by JSON pointer; raises SchemaRefusedError for refused keywords and references."""
    patterns: dict[str, str] = {}
    for pointer, schema in _schemas(root, ""):
        for name, value in schema.items():
            at = pointer + pointer_to([name])
            if name in REFUSED:
                raise SchemaRefusedError(at, f"{name} is not supported")
            if name == "$ref" and isinstance(value, str) and not _leads_inside(root, value, containers):
                raise SchemaRefusedError(at, "A reference leads to # or to a definition at the top of the same schema")
            if name == "pattern" and isinstance(value, str):
                patterns[at] = value
                if len(patterns) > MAX_PATTERNS:
                    raise SchemaRefusedError(at, f"A schema has at most {MAX_PATTERNS} patterns")
    return patterns


def _schemas(schema: JsonValue, pointer: str) -> Iterator[tuple[str, JsonObject]]:
    """The schema and its subschemas, outermost first. Skips data, and does not take property names for keywords."""
    if not isinstance(schema, dict):
        return
    yield pointer, schema
    for name, value in schema.items():
        at = pointer + pointer_to([name])
        inside: Iterable[tuple[str | int, JsonValue]] = ()
        if name in _NAMED and isinstance(value, dict):
            inside = value.items()
        elif name in _LISTED and isinstance(value, list):
            inside = enumerate(value)
        elif name in _APPLIED:
            yield from _schemas(value, at)
        for each, part in inside:
            yield from _schemas(part, at + pointer_to([each]))


def _leads_inside(schema: JsonObject, reference: str, containers: Collection[str]) -> bool:
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        return False
    container, name = match.groups()
    if container is None:
        return True
    known = schema.get(container)
    return container in containers and isinstance(known, dict) and isinstance(known.get(name), dict | bool)


def _refuse_patterns(patterns: Mapping[str, str]) -> None:
    """Raises SchemaRefusedError. Compiles no pattern before the total size of all is known to be small."""
    known = {at: _measured(at, pattern) for at, pattern in patterns.items()}
    left = MAX_COMPILED
    for at, found in known.items():
        left -= found.size.compiled
        if left < 0:
            raise SchemaRefusedError(at, f"The patterns of a schema take at most {MAX_COMPILED:,} bytes once compiled")
    with forgotten_patterns():
        for at, found in known.items():
            try:
                Pattern(found)
            except UnsupportedPatternError as error:
                raise SchemaRefusedError(at, _UNSUPPORTED) from error


def _measured(pointer: str, pattern: str) -> Measured:
    if len(pattern) > MAX_CHARACTERS:
        raise SchemaRefusedError(pointer, f"A pattern has at most {MAX_CHARACTERS} characters")
    try:
        return measured(pattern)
    except UnsupportedPatternError as error:
        raise SchemaRefusedError(pointer, _UNSUPPORTED) from error
