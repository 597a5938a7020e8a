"""A filter as a tree of immutable values. Every value has been checked; see `grammar.py`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

METADATA = "metadata"

# An instant is a datetime; other texts stay as they are.
type Scalar = str | int | float | bool | Decimal | datetime | UUID


class Operator(StrEnum):
    EQ = "eq"
    IN = "in"
    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"
    EXISTS = "exists"
    CONTAINS = "contains"
    PREFIX = "prefix"


RANGES = frozenset({Operator.GT, Operator.GTE, Operator.LT, Operator.LTE})


@dataclass(frozen=True, slots=True)
class Field:
    """A column of the documents, or with a `path` a key of their metadata."""

    name: str
    path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """`values` is one value, except for `in`."""

    field: Field
    operator: Operator
    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class All:
    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Not:
    part: Filter


type Filter = Comparison | All | AnyOf | Not


def both(*filters: Filter | None) -> Filter | None:
    """The documents that match each of them; None is no filter."""
    given = tuple(each for each in filters if each is not None)
    return given[0] if len(given) == 1 else All(given) if given else None
