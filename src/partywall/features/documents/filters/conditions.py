"""The conditions on `document` that a filter stands for. Values are bound parameters.

Each condition is true or false, never null: the documents without a key are those that `not` finds.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Final

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Numeric,
    SQLColumnExpression,
    Text,
    and_,
    case,
    cast,
    false,
    func,
    literal,
    not_,
    or_,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.sql.functions import coalesce

from partywall.features.documents.filters.tree import All, AnyOf, Comparison, Filter, Not, Operator, Scalar
from partywall.features.documents.models import DOCUMENT

type Condition = ColumnElement[bool]

_SIGNS: Final = {Operator.GT: ">", Operator.GTE: ">=", Operator.LT: "<", Operator.LTE: "<="}


def condition(tree: Filter) -> Condition:
    match tree:
        case All(parts):
            return and_(*map(condition, parts))
        case AnyOf(parts):
            return or_(*map(condition, parts))
        case Not(part):
            return not_(condition(part))
        case Comparison(field, operator, values) if field.path:
            return coalesce(_of_metadata(at(field.path), operator, values), false())
        case Comparison(field, operator, values):
            return _of_column(field.name, operator, values)


def _of_column(name: str, operator: Operator, values: tuple[Scalar, ...]) -> Condition:
    column, given = DOCUMENT.c[name], list(values)
    if operator is Operator.EXISTS:
        return column.is_not(None) if given[0] else column.is_(None)
    if operator is Operator.PREFIX:
        found: Condition = func.starts_with(column, literal(given[0], Text))
    elif operator is Operator.CONTAINS:
        found = _has_part(column, given[0])
    elif operator in _SIGNS:
        found = _compared(column, operator, _instant(given[0]))
    else:
        found = column == func.any(literal(given, ARRAY(column.type)))
    return found if not column.nullable else coalesce(found, false())


def _has_part(text: SQLColumnExpression[object], part: Scalar) -> Condition:
    """Ignores case."""
    return func.strpos(func.lower(text), func.lower(literal(part, Text))) > 0


def at(path: tuple[str, ...]) -> SQLColumnExpression[object]:
    """What the metadata has there, as JSON."""
    return DOCUMENT.c.metadata.op("#>", return_type=JSONB())(literal(list(path), ARRAY(Text)))


def _text_of(value: SQLColumnExpression[object]) -> SQLColumnExpression[object]:
    """The text of a JSON string."""
    return value.op("#>>", return_type=Text())(literal([], ARRAY(Text)))


def _of_metadata(value: SQLColumnExpression[object], operator: Operator, given: tuple[Scalar, ...]) -> Condition:
    kind = func.jsonb_typeof(value)
    match operator:
        case Operator.EXISTS:
            there = func.coalesce(kind != "null", false())
            return there if given[0] else not_(there)
        case Operator.EQ | Operator.IN:
            return value == func.any(cast(literal([_json(each) for each in given], ARRAY(Text)), ARRAY(JSONB)))
        case Operator.PREFIX:
            return case((kind == "string", func.starts_with(_text_of(value), literal(given[0], Text))), else_=False)
        case Operator.CONTAINS:
            return _contains(value, kind, given[0])
        case _ if isinstance(given[0], datetime):
            return _compared(func.wall.instant_of(value), operator, _instant(given[0]))
        case _:
            number = case((kind == "number", cast(value, Numeric)))
            return _compared(number, operator, literal(given[0], Numeric))


def _compared(value: SQLColumnExpression[object], operator: Operator, given: SQLColumnExpression[object]) -> Condition:
    return value.op(_SIGNS[operator], is_comparison=True)(given)


def _instant(given: Scalar) -> SQLColumnExpression[object]:
    """As text: the driver would round instants after the year 2272."""
    return cast(literal(str(given), Text), DateTime(timezone=True))


def _contains(value: SQLColumnExpression[object], kind: SQLColumnExpression[str], given: Scalar) -> Condition:
    """A list that has the value as an item, or a text that has it as a part."""
    item = value.op("@>", is_comparison=True)(cast(literal(_json(given), Text), JSONB))
    is_part = [(kind == "string", _has_part(_text_of(value), given))] if isinstance(given, str) else []
    return case((kind == "array", item), *is_part, else_=False)


def _json(value: Scalar) -> str:
    assert isinstance(value, str | int | float)
    return json.dumps(value)
