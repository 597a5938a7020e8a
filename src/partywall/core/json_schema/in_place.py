"""Analyses the subschemas that apply to the same object as a schema; each referenced schema is visited once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Final, cast

from jsonschema import Draft6Validator, Draft7Validator, Draft201909Validator, Draft202012Validator
from pydantic import JsonValue

from partywall.core.json_schema.checker import REFERENCE_STEPS, Draft
from partywall.core.json_schema.exceptions import SchemaRefusedError
from partywall.core.schemas import JsonObject

# Where the draft's metaschema validates definitions; it does not check that other places hold schemas.
CONTAINERS: Final[Mapping[Draft, tuple[str, ...]]] = {
    Draft202012Validator: ("$defs", "definitions"),
    Draft201909Validator: ("$defs", "definitions"),
    Draft7Validator: ("definitions",),
    Draft6Validator: ("definitions",),
}
_LISTED: Final = ("allOf", "anyOf", "oneOf")
_SINGLE: Final = ("not", "if", "then", "else")
_NAMED: Final = ("dependentSchemas", "dependencies")


class InPlace:
    """Analyses a schema that is valid in its draft. Raises SchemaRefusedError for circular references."""

    def __init__(self, root: JsonObject, draft: Draft) -> None:
        self._draft = draft
        containers = {name: cast("JsonObject", root.get(name, {})) for name in CONTAINERS[draft]}
        schemas = {f"#/{name}/{each}": schema for name, named in containers.items() for each, schema in named.items()}
        schemas["#"] = root
        self._says: dict[str, bool] = {}
        self._steps: dict[str, int] = {}
        for reference in _order(schemas):
            self._says[reference] = self._says_so(schemas[reference])
            self._steps[reference] = self._steps_of(schemas[reference])

    def is_of_objects(self) -> bool:
        """Whether the schema requires an object: by `type`, by `properties`, or through its in-place subschemas."""
        return self._says["#"]

    def steps(self) -> int:
        """The maximum number of steps to check an object without properties."""
        return self._steps["#"]

    def _says_so(self, schema: JsonValue) -> bool:
        if not isinstance(schema, dict):
            return False
        led = self._says.get(str(schema.get("$ref")), False)
        if "$ref" in schema and self._draft in (Draft6Validator, Draft7Validator):
            return led  # these drafts ignore keywords beside a reference
        if "type" in schema:
            return schema["type"] in ("object", ["object"])
        all_, any_, one = ([self._says_so(each) for each in _list(schema, name)] for name in _LISTED)
        return led or "properties" in schema or any(all_) or any(each != [] and all(each) for each in (any_, one))

    def _steps_of(self, schema: JsonValue) -> int:
        if not isinstance(schema, dict):
            return 1
        led = REFERENCE_STEPS + self._steps.get(str(schema.get("$ref")), 0) if "$ref" in schema else 0
        own = 1 + sum(1 + len(each) // 10 if isinstance(each, dict | list) else 1 for each in schema.values())
        return own + led + sum(map(self._steps_of, _parts(schema)))


def _order(schemas: Mapping[str, JsonValue]) -> Iterator[str]:
    """The schemas in dependency order, each after those that it refers to; raises SchemaRefusedError for a cycle."""
    graph = TopologicalSorter({at: set(_asked(schema)) for at, schema in schemas.items()})
    try:
        yield from graph.static_order()
    except CycleError as error:
        cycle = ", ".join(error.args[1])[:200]
        message = f"These references form a cycle: {cycle}"
        raise SchemaRefusedError("", message) from error


def _asked(schema: JsonValue) -> Iterator[str]:
    """The references that apply to the same object."""
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield cast("str", schema["$ref"])
        for part in _parts(schema):
            yield from _asked(part)


def _parts(schema: JsonObject) -> Iterator[JsonValue]:
    for name in _LISTED:
        yield from _list(schema, name)
    for name in _SINGLE:
        if name in schema:
            yield schema[name]
    for name in _NAMED:
        named = schema.get(name)
        yield from named.values() if isinstance(named, dict) else ()


def _list(schema: JsonObject, name: str) -> list[JsonValue]:
    return cast("list[JsonValue]", schema.get(name, []))
