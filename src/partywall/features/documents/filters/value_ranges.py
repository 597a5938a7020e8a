"""The documents that a filter has to look at: ranges of `document_value`, which has a B-tree.

`@>` with a GIN index is not leakproof, so under row-level security PostgreSQL would not use it. The ranges find every
document that matches, and others too, because names and values are cut: `conditions.py` decides.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Text, and_, column, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY

from partywall.features.documents.filters.tree import All, AnyOf, Comparison, Filter, Operator, Scalar
from partywall.features.documents.models import DOCUMENT_VALUE

MOST_SPANS: Final = 500
# As in `sql/filters.sql`.
_NAME_LENGTH: Final = 200
_VALUE_LENGTH: Final = 100
_ITEM: Final = "i"
_LAST: Final = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Span:
    """The values of a name from `low` to `high`, both included. `path` is that of the only key they may belong to."""

    name: str
    low: str
    high: str
    path: tuple[str, ...] = ()

    @property
    def is_exact(self) -> bool:
        return self.low == self.high


type Spans = tuple[Span, ...]
# The row of a document with too many values.
_CROWDED: Final = Span("", "", "")


def narrowed(tree: Filter, project_id: ColumnElement[UUID]) -> Select[UUID] | None:
    """Selects the ids of documents that may match; None if their metadata does not tell."""
    spans = _spans(tree)
    if spans is None:
        return None
    arrays = zip(*((each.name, each.low, each.high) for each in (*spans, _CROWDED)), strict=True)
    asked = (
        func.unnest(*(literal(list(each), ARRAY(Text)) for each in arrays))
        .table_valued(*(column(name, Text) for name in ("name", "low", "high")), name="asked")
        .render_derived()
    )
    values = DOCUMENT_VALUE.c
    within = and_(values.name == asked.c.name, values.value.between(asked.c.low, asked.c.high))
    return select(values.document_id).join_from(asked, DOCUMENT_VALUE, within).where(values.project_id == project_id)


def _spans(tree: Filter) -> Spans | None:
    match tree:
        case Comparison(_, Operator.EXISTS, (False,)):
            return None
        case Comparison(field, operator, values) if field.path and _is_named(field.path):
            name = ".".join(field.path)[:_NAME_LENGTH]
            return tuple(Span(name, *ends, field.path) for value in values for ends in _ends(operator, value))
        case AnyOf(parts):
            found = [_spans(part) for part in parts]
            known = tuple(span for spans in found if spans is not None for span in spans)
            return known if None not in found and len(known) <= MOST_SPANS else None
        case All(parts):
            return min(_intersected([spans for part in parts if (spans := _spans(part))]), key=_cost, default=None)
    return None


def _is_named(path: tuple[str, ...]) -> bool:
    """Below the first key, a number may be the position in a list, which has no name."""
    return not any(each.lstrip("-").isdecimal() for each in path[1:])


def _intersected(found: list[Spans]) -> list[Spans]:
    """Two ranges of one value become one, such as those of `gte` and `lt`.

    A list has many items, and two keys may have one name: each range may be of another value.
    """
    singles: dict[tuple[tuple[str, ...], str], Span] = {}
    others: list[Spans] = []
    for spans in found:
        first, *more = spans
        if more or first.low.startswith(_ITEM):
            others.append(spans)
            continue
        key = (first.path, first.low[:1])
        other = singles.get(key, first)
        singles[key] = Span(first.name, max(first.low, other.low), min(first.high, other.high), first.path)
    return [*others, *((each,) for each in singles.values())]


def _cost(spans: Spans) -> tuple[int, int]:
    """Single values before ranges, and ranges with two ends before others."""
    widest = max(0 if each.is_exact else 2 if len(each.low) < 2 or each.high.endswith(_LAST) else 1 for each in spans)
    return widest, len(spans)


def _ends(operator: Operator, value: Scalar) -> list[tuple[str, str]]:
    if operator is Operator.EXISTS:
        return [("", _LAST)]
    key = _key(value)
    match operator:
        case Operator.PREFIX:
            return [_beginning(key)]
        case Operator.GT | Operator.GTE:
            return [(key, key[0] + _LAST)]
        case Operator.LT | Operator.LTE:
            return [(key[0], key)]
        case Operator.CONTAINS:
            texts = [_beginning("s")] if isinstance(value, str) else []
            return [(_ITEM + key, _ITEM + key), *texts]
    return [(key, key)]


def _beginning(key: str) -> tuple[str, str]:
    """The texts that begin so. The last one is as long as a text can be here."""
    return key, key.ljust(_VALUE_LENGTH + 1, _LAST)


def _key(value: Scalar) -> str:
    """As `wall.metadata_values` writes it."""
    match value:
        case bool():
            return f"b{value}".lower()
        case datetime():
            return f"t{value.replace(tzinfo=None).isoformat(timespec='microseconds')}"
        case int() | float() | Decimal():
            return _number_key(float(value))
    return f"s{value}"[: _VALUE_LENGTH + 1]


def _number_key(number: float) -> str:
    [bits] = struct.unpack(">Q", struct.pack(">d", number or 0.0))
    return f"nm{bits ^ (2**64 - 1):016x}" if number < 0 else f"np{bits:016x}"
