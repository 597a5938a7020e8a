"""Schemas for these tests, and what refuses them."""

from __future__ import annotations

from typing import cast

import pytest
from pydantic import JsonValue

from partywall.core.json_schema.checker import Checker
from partywall.core.json_schema.exceptions import SchemaRefusedError
from partywall.core.json_schema.limits import refuse_unusable
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


LEVELS = 200


def ladder(keyword: str, end: JsonValue) -> JsonObject:
    """A small schema with 2 ** LEVELS paths."""
    names: JsonObject = {}
    for level in range(LEVELS):
        down: JsonObject = {"$ref": f"#/$defs/d{level + 1}"}
        names[f"d{level}"] = {keyword: [down], **down}
    return {"$ref": "#/$defs/d0", "$defs": {**names, f"d{LEVELS}": end}}


def doubling(depth: int) -> JsonObject:
    """A small schema that takes 2 ** depth steps."""
    names: JsonObject = {
        f"d{level}": {"allOf": [{"$ref": f"#/$defs/d{level + 1}"}] * 2} for level in range(depth)
    }  # fmt: skip
    return {"properties": {"a": {"$ref": "#/$defs/d0"}}, "$defs": {**names, f"d{depth}": {}}}


def in_a(**keywords: JsonValue) -> Checker:
    return Checker(usable({"type": "object", "properties": {"a": keywords}}))


def fanning(levels: int) -> JsonObject:
    """A small schema with 20 * 8 ** levels paths."""
    names: JsonObject = {f"d{n}": {"oneOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 8} for n in range(levels)}
    return {"anyOf": [{"$ref": "#/$defs/d0"}] * 20, "$defs": {**names, f"d{levels}": {"type": "object"}}}
