"""Reads a filter from JSON. Its depth, conditions, lists and bytes are limited, and an error names the place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Final, LiteralString, NoReturn

from pydantic import PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError, from_json, to_json

from partywall.core.schemas import JsonObject, refuse_excessive
from partywall.features.documents.filters.fields import FieldKind, kind_of, read_field
from partywall.features.documents.filters.tree import All, AnyOf, Comparison, Filter, Not, Operator, Scalar
from partywall.features.documents.filters.values import reader_of

MOST_BYTES: Final = 64 * 1024
MOST_CONDITIONS: Final = 64
MOST_VALUES: Final = 500
DEEPEST: Final = 8
EXAMPLE: Final[JsonObject] = {
    "and": [
        {"field": "metadata.year", "op": "gte", "value": 2025},
        {"not": {"field": "status", "op": "eq", "value": "draft"}},
    ]
}
FILTER: Final = "Only documents that match: `{field, op, value}`, or `and`, `or` and `not` with such filters in them."
_KEYS: Final = ("field", "op", "value")
_GROUPS: Final = ("and", "or", "not")


def read_filter(value: object) -> Filter:
    """From an object or its JSON text; a filter that has been read stays. Raises PydanticCustomError."""
    if isinstance(value, Comparison | All | AnyOf | Not):
        return value
    if isinstance(value, str):
        value = _parsed(value)
    refuse_excessive(value)
    return _Reader().filter(value, DEEPEST)


def _parsed(text: str) -> object:
    if len(text) > MOST_BYTES:
        raise PydanticCustomError("too_long", "The filter is too long")
    try:
        return from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise PydanticCustomError("not_json", "The filter is not JSON") from error


@dataclass(slots=True)
class _Reader:
    """`path` is the place that is being read, for errors."""

    conditions: int = 0
    path: list[str] = field(default_factory=list)

    def filter(self, value: object, depth: int) -> Filter:
        self.conditions += 1
        if self.conditions > MOST_CONDITIONS:
            self._refuse("too_long", f"A filter has at most {MOST_CONDITIONS} conditions, groups included")
        if depth == 0:
            self._refuse("too_deep", f"Filters are nested at most {DEEPEST} deep")
        if not isinstance(value, dict):
            self._refuse("dict_type", "A filter is an object with and, or, or not, or with field, op and value")
        if len(value) == 1 and (group := next(iter(value))) in _GROUPS:
            with self._inside(group):
                return self._group(group, value[group], depth - 1)
        return self._comparison(value)

    def _group(self, group: str, value: object, depth: int) -> Filter:
        if group == "not":
            return Not(self.filter(value, depth))
        parts: list[Filter] = []
        for place, each in enumerate(self._list(value, MOST_CONDITIONS)):
            with self._inside(str(place)):
                parts.append(self.filter(each, depth))
        return (All if group == "and" else AnyOf)(tuple(parts))

    def _list(self, value: object, most: int) -> list[object]:
        if not isinstance(value, list):
            self._refuse("list_type", "A list belongs here")
        if not value:
            self._refuse("too_short", "The list is empty")
        if len(value) > most:
            self._refuse("too_long", f"The list has at most {most} items")
        return value

    def _comparison(self, value: dict[str, object]) -> Comparison:
        if value.keys() - _KEYS:
            self._refuse("extra_forbidden", "A filter has and, or, or not alone, or field, op and value")
        for key in _KEYS:
            if key not in value:
                with self._inside(key):
                    self._refuse("missing", "Field required")
        with self._inside("field"):
            named = read_field(value["field"])
        kind = kind_of(named)
        with self._inside("op"):
            operator = self._operator(value["op"], kind)
        with self._inside("value"):
            return Comparison(named, operator, tuple(self._values(kind, operator, value["value"])))

    def _operator(self, value: object, kind: FieldKind) -> Operator:
        if not isinstance(value, str) or value not in kind.operators:
            self._refuse("literal_error", f"For this field, op is one of {', '.join(sorted(kind.operators))}")
        return Operator(value)

    def _values(self, kind: FieldKind, operator: Operator, value: object) -> Iterator[Scalar]:
        read = reader_of(kind, operator)
        if operator is not Operator.IN:
            yield read(value)
            return
        for place, each in enumerate(self._list(value, MOST_VALUES)):
            with self._inside(str(place)):
                yield read(each)

    @contextmanager
    def _inside(self, part: str) -> Iterator[None]:
        """Errors get the `pointer` of the innermost place."""
        self.path.append(part)
        try:
            yield
        except PydanticCustomError as error:
            context = error.context or {}
            if "pointer" in context:
                raise
            place = {**context, "pointer": "".join(f"/{each}" for each in self.path)}
            raise PydanticCustomError(error.type, error.message_template, place) from error
        finally:
            self.path.pop()

    def _refuse(self, kind: LiteralString, message: str) -> NoReturn:
        raise PydanticCustomError(kind, "{message}", {"message": message})


GivenFilter = Annotated[
    Filter,
    PlainValidator(read_filter),
    WithJsonSchema({"type": "object", "additionalProperties": True, "examples": [EXAMPLE]}),
]
"""A filter as a member of a body."""

FilterText = Annotated[
    Filter,
    PlainValidator(read_filter),
    WithJsonSchema({"type": "string", "contentMediaType": "application/json", "examples": [to_json(EXAMPLE).decode()]}),
]
"""A filter as a parameter of a query: its JSON."""
