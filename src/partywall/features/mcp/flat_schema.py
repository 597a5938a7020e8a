"""JSON Schemas without references: many clients pass a tool's schema to a model API that does not support them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast

from pydantic import JsonValue

from partywall.core.schemas import JsonObject

_PREFIX: Final = "#/$defs/"
_NULL: Final[JsonObject] = {"type": "null"}


def flat_schema(schema: JsonObject, *, nulls: bool = True) -> JsonObject:
    """The schema with all definitions inlined; raises ValueError for recursive and external references.

    Without `nulls`, null is removed from the types of optional properties.
    """
    definitions = cast("Mapping[str, JsonObject]", schema.get("$defs", {}))
    found = _flat({name: value for name, value in schema.items() if name != "$defs"}, definitions, ())
    flat = cast("JsonObject", found)
    if not nulls:
        flat["properties"] = {
            name: _without_null(cast("JsonObject", each))
            for name, each in cast("JsonObject", flat.get("properties", {})).items()
        }
    return flat


def _flat(value: JsonValue, definitions: Mapping[str, JsonObject], within: tuple[str, ...]) -> JsonValue:
    if isinstance(value, list):
        return [_flat(each, definitions, within) for each in value]
    if not isinstance(value, dict):
        return value
    beside = {name: _flat(each, definitions, within) for name, each in value.items() if not _refers(name, each)}
    reference = value.get("$ref")
    if not isinstance(reference, str):
        return beside
    name = reference.removeprefix(_PREFIX)
    if name in within or name not in definitions:
        raise ValueError(f"{reference} cannot be inlined")
    definition = cast("JsonObject", _flat(definitions[name], definitions, (*within, name)))
    return {**definition, **beside}


def _refers(name: str, value: JsonValue) -> bool:
    """Whether the keyword refers to definitions: `$ref`, or a discriminator, which adds nothing to its choices."""
    if name == "discriminator":
        return isinstance(value, dict) and "propertyName" in value
    return name == "$ref" and isinstance(value, str)


def _without_null(schema: JsonObject) -> JsonObject:
    """The property's schema without null: clients can omit the property instead."""
    choices = schema.get("anyOf")
    if not isinstance(choices, list) or _NULL not in choices:
        return schema
    rest = {name: value for name, value in schema.items() if name not in ("anyOf", "default")}
    left = [each for each in choices if each != _NULL]
    if len(left) == 1 and isinstance(left[0], dict):
        return {**left[0], **rest}
    return {**rest, "anyOf": left}
