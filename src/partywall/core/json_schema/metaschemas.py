"""Each draft's metaschema as one schema. Newer drafts split it into several, which are slower to validate with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, cast

from jsonschema.exceptions import ValidationError
from jsonschema_specifications import REGISTRY
from pydantic import JsonValue
from referencing import Registry

from partywall.core.json_schema.checker import DRAFTS, Draft, Validator
from partywall.core.schemas import JsonObject

# Metaschemas use these so that others can extend them, which does not happen here.
_EXTENSIBLE: Final = frozenset({"$dynamicRef", "$recursiveRef"})
_ANCHORS: Final = frozenset({"$dynamicAnchor", "$recursiveAnchor"})
_MERGED: Final = ("properties", "$defs", "definitions")


def errors(schema: JsonValue, draft: Draft) -> Iterator[ValidationError]:
    """The reasons why `schema` is not valid in the draft."""
    return _VALIDATORS[draft].iter_errors(schema)


def _whole(top: JsonObject) -> JsonObject:
    merged: dict[str, JsonObject] = {name: {} for name in _MERGED}
    for part in (*_parts(top), top):
        for name in _MERGED:
            named = cast("JsonObject", part.get(name, {}))
            merged[name] |= {each: _closed(schema) for each, schema in named.items()}
    return {"type": top["type"], **merged}


def _parts(top: JsonObject) -> Iterator[JsonObject]:
    base = cast("str", top["$id"]).rsplit("/", 1)[0]
    for part in cast("list[dict[str, str]]", top.get("allOf", [])):
        yield cast("JsonObject", REGISTRY.contents(f"{base}/{part['$ref']}"))


def _closed(value: JsonValue) -> JsonValue:
    """Rewrites all references so that they stay within the merged schema."""
    if isinstance(value, list):
        return [_closed(each) for each in value]
    if not isinstance(value, dict):
        return value
    return dict(_closed_keyword(name, each) for name, each in value.items() if name not in _ANCHORS)


def _closed_keyword(name: str, value: JsonValue) -> tuple[str, JsonValue]:
    if name in _EXTENSIBLE:
        return "$ref", "#"
    if name == "$ref" and isinstance(value, str):
        return "$ref", "#" + value.partition("#")[2]
    return name, _closed(value)


_VALIDATORS: Final[Mapping[Draft, Validator]] = {
    draft: draft(_whole(draft.META_SCHEMA), registry=Registry(), format_checker=None) for draft in DRAFTS.values()
}
