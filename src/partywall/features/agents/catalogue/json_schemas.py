"""Schemas that callers bring: refused unless they are of a known draft, small, closed in themselves and cheap."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from itertools import islice
from math import prod
from typing import Annotated, Final, Protocol, cast

from jsonschema import Draft6Validator, Draft7Validator, Draft201909Validator, Draft202012Validator, FormatChecker
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.validators import extend
from pydantic import JsonValue, StringConstraints, TypeAdapter
from pydantic_core import PydanticCustomError
from pydantic_core import SchemaError as PatternError
from pydantic_core import ValidationError as NoMatchError
from referencing import Registry

from partywall.core.schemas import JsonObject
from partywall.features.agents.exceptions import SchemaTooCostlyError

MAX_BYTES: Final = 16 * 1024
# Objects and booleans in it, for these are the schemas in a schema.
MAX_SUBSCHEMAS: Final = 500
MAX_PATTERNS: Final = 20
MAX_PATTERN_CHARACTERS: Final = 200
MAX_REPETITIONS: Final = 1_000
# Keywords that are applied to all objects of one output together; following a reference is as much work as some others.
MAX_STEPS: Final = 50_000
_REFERENCE_STEPS: Final = 5
FORMATS: Final = ("date", "date-time", "email", "ipv4", "ipv6", "uuid")
# They lead elsewhere, change what a reference means, or have Python's regular expressions run over names.
REFUSED: Final = frozenset(
    {"$id", "$schema", "$anchor", "$dynamicAnchor", "$dynamicRef", "$recursiveAnchor", "$recursiveRef", "$vocabulary",
     "patternProperties", "unevaluatedItems", "unevaluatedProperties"}
)  # fmt: skip
_REPETITION: Final = re.compile(r"\{(\d{1,9})?(?:,(\d{1,9})?)?\}")
_REFERENCE: Final = re.compile(r"#(?:/(\$defs|definitions)/([A-Za-z0-9_. -]+))?")

type Keyword = Callable[[object, object, object, object], Iterator[ValidationError] | None]


class Draft(Protocol):
    """A validator class of jsonschema."""

    VALIDATORS: Mapping[str, Keyword]

    def __call__(self, schema: object, *, registry: object, format_checker: object) -> Validator: ...
    def check_schema(self, schema: object, format_checker: object) -> None: ...


class Validator(Protocol):
    def iter_errors(self, instance: object) -> Iterator[ValidationError]: ...


_NEWEST: Final = "https://json-schema.org/draft/2020-12/schema"
DRAFTS: Final[Mapping[str, Draft]] = {
    _NEWEST: Draft202012Validator,
    "https://json-schema.org/draft/2019-09/schema": Draft201909Validator,
    "http://json-schema.org/draft-07/schema": Draft7Validator,
    "http://json-schema.org/draft-06/schema": Draft6Validator,
}
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
    inner = _inner(schema)
    _refuse_unusual(inner, _CONTAINERS[draft])
    try:
        draft.check_schema(inner, format_checker=None)
    except SchemaError as error:
        raise _refusal(_pointer(error.absolute_path), error.message[:300]) from error
    if "object" not in _types(inner):
        raise _refusal("/type", "The schema describes an object")
    try:
        Checker(schema).errors({})
    except SchemaTooCostlyError as error:
        raise _refusal("", error.detail) from error
    return schema


class Checker:
    """Checks objects against one usable schema. Nothing is fetched, and the steps are counted."""

    def __init__(self, schema: JsonObject) -> None:
        self._left = MAX_STEPS
        self._patterns: dict[str, TypeAdapter[str]] = {}
        draft = _draft_of(schema)
        keywords = {**draft.VALIDATORS, "pattern": self._pattern}
        counted = {
            name: self._counted(keyword, _REFERENCE_STEPS if name == "$ref" else 1)
            for name, keyword in keywords.items()
        }
        bounded = cast("Draft", extend(draft, counted))
        self._validator = bounded(_inner(schema), registry=Registry(), format_checker=_formats())

    def errors(self, value: JsonValue, most: int = 3) -> list[str]:
        """What is wrong with it, in words; raises SchemaTooCostlyError."""
        try:
            found = list(islice(self._validator.iter_errors(value), most))
        except RecursionError as error:
            raise SchemaTooCostlyError from error
        return [f"{each.json_path}: {each.message[:300]}" for each in found]

    def _counted(self, keyword: Keyword, steps: int) -> Keyword:
        def counting(validator: object, value: object, instance: object, schema: object) -> Iterator[ValidationError]:
            self._left -= steps
            if self._left < 0:
                raise SchemaTooCostlyError
            yield from keyword(validator, value, instance, schema) or ()

        return counting

    def _pattern(self, _: object, pattern: object, instance: object, __: object) -> Iterator[ValidationError]:
        """By an engine whose time is in proportion to the text, whatever the pattern."""
        if not isinstance(instance, str) or not isinstance(pattern, str):
            return
        if pattern not in self._patterns:
            self._patterns[pattern] = _compiled(pattern)
        try:
            self._patterns[pattern].validate_python(instance)
        except NoMatchError:
            yield ValidationError(f"{instance[:100]!r} does not match {pattern!r}")


def _draft_of(schema: JsonObject) -> Draft:
    named = schema.get("$schema", _NEWEST)
    found = DRAFTS.get(named.removesuffix("#")) if isinstance(named, str) else None
    if found is None:
        raise _refusal("/$schema", f"The known drafts are {', '.join(DRAFTS)}")
    return found


def _inner(schema: JsonObject) -> JsonObject:
    """Without its name and its draft, which are known by now."""
    return {name: value for name, value in schema.items() if name not in ("$id", "$schema")}


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
        _compiled(pattern)
    except PatternError as error:
        raise _refusal(pointer, "Not a pattern of the supported kind: no look-around, no backreferences") from error


def _compiled(pattern: str) -> TypeAdapter[str]:
    return TypeAdapter(Annotated[str, StringConstraints(pattern=pattern)])


def _types(schema: JsonObject) -> list[JsonValue]:
    type_ = schema.get("type", "object")
    return type_ if isinstance(type_, list) else [type_]


def _formats() -> FormatChecker:
    checker = FormatChecker([name for name in FORMATS if name != "date-time"])
    checker.checks("date-time")(_is_instant)
    return checker


def _is_instant(value: object) -> bool:
    if not isinstance(value, str):
        return True
    try:
        return "T" in value.upper() and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _pointer(path: object) -> str:
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in cast("list[str | int]", path))


def _refusal(pointer: str, message: str) -> PydanticCustomError:
    # The message is no template: what is in it stands as it is.
    return PydanticCustomError("schema_refused", "{reason}", {"reason": message, "pointer": pointer})
