"""Well-formed values for a schema."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID, uuid4

from pydantic import JsonValue

from partywall.testing.isolation.surface import Schema, is_file

# A pattern that only requires at least one character.
_NOT_BLANK: Final = r"\S"


class Fields(StrEnum):
    """Which members of an object are filled in, in the order of the attempts."""

    EXAMPLE = "those of the schema's example"
    ALL = "all"
    REQUIRED = "the required ones"
    VERBATIM = "the schema's example as it is"


@dataclass(frozen=True, slots=True)
class Sample:
    """What a sample body is made for; `text()` is a new word each time."""

    project_id: UUID
    text: Callable[[], str]


type SampleBody = Mapping[str, JsonValue] | Callable[[Sample], Mapping[str, JsonValue]]
# By operation: "POST /api/v1/projects/{project_id}/orders".
type SampleBodies = Mapping[str, SampleBody]


@dataclass(frozen=True, slots=True)
class Filler:
    """Generates values; every free text is a new `mark()`, and names in `known` get their known value."""

    mark: Callable[[], str]
    known: Mapping[str, str]

    def object(self, schema: Schema, fields: Fields) -> dict[str, JsonValue]:
        properties, example = schema.get("properties"), _example(schema)
        if fields is Fields.VERBATIM and example:
            return example
        if not isinstance(properties, dict):
            return {"note": self.mark()}
        chosen = set(_chosen(schema, fields))
        return {
            name: self.value(each, name, fields)
            for name, each in properties.items()
            if name in chosen and isinstance(each, dict) and not is_file(each)
        }

    def value(self, schema: Schema, name: str, fields: Fields = Fields.REQUIRED) -> JsonValue:
        if "const" in schema:
            return schema["const"]
        if isinstance(choices := schema.get("enum"), list):
            return choices[-1]
        match schema.get("type"):
            case "integer" | "number":
                least = schema.get("minimum", schema.get("exclusiveMinimum", 1))
                return least if isinstance(least, int) and least > 0 else 1
            case "boolean":
                return False
            case "array":
                items = schema.get("items")
                return [self.value(items, name, fields)] if isinstance(items, dict) else []
            case "object":
                return self.object(schema, fields)
            case "string":
                return self._text(schema, name)
            case _:
                return self.mark()

    def _text(self, schema: Schema, name: str) -> str:
        if name in self.known:
            return self.known[name]
        match schema.get("format"):
            case "uuid":
                return str(uuid4())
            case "email":
                return f"{self.mark()}@example.com"
            case "date-time":
                return (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        examples = schema.get("examples")
        if schema.get("pattern", _NOT_BLANK) != _NOT_BLANK and isinstance(examples, list) and examples:
            return str(examples[0])
        longest = schema.get("maxLength")
        return self.mark()[: longest if isinstance(longest, int) else None]


def _chosen(schema: Schema, fields: Fields) -> Iterator[str]:
    required = schema.get("required", [])
    assert isinstance(required, list)
    yield from (str(each) for each in required)
    properties = schema.get("properties")
    if fields is Fields.ALL and isinstance(properties, dict):
        yield from properties
    elif fields is Fields.EXAMPLE:
        yield from _example(schema)


def _example(schema: Schema) -> dict[str, JsonValue]:
    """The first example of an object, or nothing."""
    examples = schema.get("examples")
    return dict(examples[0]) if isinstance(examples, list) and examples and isinstance(examples[0], dict) else {}
