"""Checks objects against a JSON Schema with a limit on the steps; the caller can stop it."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterator, Mapping
from fractions import Fraction
from itertools import islice
from threading import Event
from typing import Final, Protocol, cast

from jsonschema import Draft6Validator, Draft7Validator, Draft201909Validator, Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend
from pydantic import JsonValue
from referencing import Registry

from partywall.core.json_schema.exceptions import SchemaTooCostlyError
from partywall.core.json_schema.formats import formats
from partywall.core.json_schema.pattern_sizes import Size, measured
from partywall.core.json_schema.patterns import Pattern
from partywall.core.schemas import JsonObject

# For all objects of one output together. A step is a keyword that is applied or a value that is compared.
MAX_STEPS: Final = 50_000
MAX_CHARACTERS: Final = 200_000
MAX_DIGITS: Final = 100
_TOO_LARGE: Final[int] = 10**MAX_DIGITS
# Following a reference costs as much as several steps; one step reads or writes `_CHARACTERS` characters.
REFERENCE_STEPS: Final = 5
_CHARACTERS: Final = 100
# Matching takes about twice the time for a pattern that can be at this many positions at once.
_PLACES: Final = 10
# Keywords that visit each item or name, even if they require nothing of it.
_OF_EACH: Final = frozenset({"items", "additionalItems", "contains", "propertyNames", "additionalProperties"})
# A `false` schema in these writes an error that quotes the instance; jsonschema discards it before it is counted here.
_SILENT: Final = frozenset({"anyOf", "oneOf", "not", "if", "contains"})

type Keyword = Callable[[object, object, object, object], Iterator[ValidationError] | None]


class Draft(Protocol):
    """A validator class of jsonschema."""

    VALIDATORS: Mapping[str, Keyword]
    META_SCHEMA: JsonObject

    def __call__(self, schema: object, *, registry: object, format_checker: object) -> Validator: ...


class Validator(Protocol):
    def iter_errors(self, instance: object) -> Iterator[ValidationError]: ...


NEWEST: Final = "https://json-schema.org/draft/2020-12/schema"
DRAFTS: Final[Mapping[str, Draft]] = {
    NEWEST: Draft202012Validator,
    "https://json-schema.org/draft/2019-09/schema": Draft201909Validator,
    "http://json-schema.org/draft-07/schema": Draft7Validator,
    "http://json-schema.org/draft-06/schema": Draft6Validator,
}


class StoppedError(Exception):
    """The caller no longer waits for the result."""


def draft_of(schema: JsonObject) -> Draft | None:
    """The draft of the schema; None if `$schema` names an unknown one."""
    named = schema.get("$schema", NEWEST)
    return DRAFTS.get(named.removesuffix("#")) if isinstance(named, str) else None


def inner(schema: JsonObject) -> JsonObject:
    """The schema without `$id` and `$schema`."""
    return {name: value for name, value in schema.items() if name not in ("$id", "$schema")}


class Checker:
    """Checks objects against one usable schema. Fetches nothing and counts its steps.

    Once `stop` is set, the next step raises StoppedError.
    """

    def __init__(self, schema: JsonObject, stop: Event | None = None) -> None:
        self._left = MAX_STEPS
        self._stop = stop or Event()
        self._patterns: dict[str, tuple[Pattern, Size]] = {}
        self._choices: dict[int, frozenset[Hashable]] = {}
        draft = draft_of(schema)
        assert draft is not None
        mine = {
            "pattern": self._pattern,
            "uniqueItems": self._unique,
            "enum": self._enum,
            "const": self._const,
            "multipleOf": self._multiple,
        }
        counted = {name: self._counted(name, keyword) for name, keyword in {**draft.VALIDATORS, **mine}.items()}
        bounded = cast("Draft", extend(draft, counted))
        self._validator = bounded(inner(schema), registry=Registry(), format_checker=formats())

    def errors(self, value: JsonValue, most: int = 3) -> list[str]:
        """At most `most` error messages; raises SchemaTooCostlyError and StoppedError."""
        try:
            if unfit := _unfit(value):
                return [f"$: {unfit}"]
            found = list(islice(self._validator.iter_errors(value), most))
        except RecursionError as error:
            raise SchemaTooCostlyError from error
        return [f"{each.json_path}: {each.message[:300]}" for each in found]

    def _spend(self, steps: int) -> None:
        if self._stop.is_set():
            raise StoppedError
        self._left -= steps
        if self._left < 0:
            raise SchemaTooCostlyError

    def _counted(self, name: str, keyword: Keyword) -> Keyword:
        def counting(validator: object, value: object, instance: object, schema: object) -> Iterator[ValidationError]:
            self._spend(REFERENCE_STEPS if name == "$ref" else 1)
            if isinstance(value, dict | list) and name != "enum":
                self._spend(len(value) // 10)
            if name in _OF_EACH and isinstance(instance, dict | list):
                self._spend(len(instance))
            if name in _SILENT and (said := _falsehoods(value)):
                self._spend(said * len(repr(instance)) // _CHARACTERS)
            for error in keyword(validator, value, instance, schema) or ():
                # The message quotes the instance, so its cost grows with its length.
                self._spend(len(error.message) // _CHARACTERS)
                yield error

        return counting

    def _pattern(self, _: object, pattern: object, instance: object, __: object) -> Iterator[ValidationError]:
        if not isinstance(instance, str) or not isinstance(pattern, str):
            return
        if pattern not in self._patterns:
            found = measured(pattern)
            self._patterns[pattern] = Pattern(found), found.size
        known, size = self._patterns[pattern]
        self._spend(len(instance) * (1 + size.positions // _PLACES) // _CHARACTERS)
        if not known.matches(instance):
            yield ValidationError(f"{instance[:100]!r} does not match {pattern!r}")

    def _unique(self, _: object, wanted: object, instance: object, __: object) -> Iterator[ValidationError]:
        if wanted is not True or not isinstance(instance, list):
            return
        seen: set[Hashable] = set()
        for index, each in enumerate(instance):
            form = self._form(each)
            if form in seen:
                yield ValidationError(f"has non-unique elements: [{index}] repeats an earlier one")
                return
            seen.add(form)

    def _enum(self, _: object, choices: object, instance: object, __: object) -> Iterator[ValidationError]:
        assert isinstance(choices, list)
        # Lists of the schema live as long as this checker, so their ids stay unique.
        if id(choices) not in self._choices:
            self._choices[id(choices)] = frozenset(map(self._form, choices))
        if self._form(instance) not in self._choices[id(choices)]:
            yield ValidationError(f"{_quoted(instance)} is not one of {_quoted(choices)}")

    def _const(self, _: object, const: object, instance: object, __: object) -> Iterator[ValidationError]:
        if self._form(instance) != self._form(const):
            yield ValidationError(f"{_quoted(const)} was expected")

    def _multiple(self, _: object, of: object, instance: object, __: object) -> Iterator[ValidationError]:
        """Compares the decimal notation, so that 0.3 is a multiple of 0.1."""
        if isinstance(instance, bool) or not isinstance(instance, int | float):
            return
        if Fraction(str(instance)) % Fraction(str(of)):
            yield ValidationError(f"{instance!r} is not a multiple of {of}")

    def _form(self, value: object) -> Hashable:
        """A hashable form that is equal exactly for values that JSON Schema calls equal: 1 is 1.0, true is not 1."""
        self._spend(1)
        match value:
            case str():
                self._spend(len(value) // _CHARACTERS)
                return value
            case bool() | None:
                return (value,)
            case int() | float():
                # As text: otherwise numbers could be chosen that all have the same hash.
                return ("number", str(int(value) if value == int(value) else value))
            case list():
                return ("list", tuple(map(self._form, value)))
            case dict():
                self._spend(sum(map(len, value)) // _CHARACTERS)
                return ("object", frozenset((name, self._form(each)) for name, each in value.items()))
        raise TypeError(f"{type(value).__name__} is not of JSON")


def _unfit(value: JsonValue) -> str | None:
    """Why the value is rejected without further checks; None if it is not."""
    if len(json.dumps(value, ensure_ascii=False)) > MAX_CHARACTERS:
        return f"the object is longer than {MAX_CHARACTERS:,} characters of JSON"
    if has_long_number(value):
        return f"an integer has more than {MAX_DIGITS} digits"
    return None


def has_long_number(value: JsonValue) -> bool:
    if isinstance(value, int):
        return abs(value) >= _TOO_LARGE
    values: list[JsonValue] = [*value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []
    return any(map(has_long_number, values))


def _falsehoods(value: object) -> int:
    return sum(each is False for each in value) if isinstance(value, list) else int(value is False)


def _quoted(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}…"
