"""JSON built by the database, in the same form as the schemas write it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Interval,
    SQLColumnExpression,
    Text,
    cast,
    func,
    funcfilter,
    literal_column,
    select,
)

_RFC3339: Final = literal_column("""'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'""", Text)
# As an interval, because a zone name would be looked up for every value.
_UTC: Final = literal_column("'0'::interval", Interval)
_ENCODING: Final = literal_column("'UTF8'", Text)


def rfc3339(instant: ColumnElement[object]) -> ColumnElement[object]:
    """The instant as text, as `core.schemas.to_rfc3339` writes it."""
    return func.to_char(func.timezone(_UTC, instant), _RFC3339)


def json_bytes(json: ColumnElement[object]) -> ColumnElement[object]:
    """The JSON as UTF-8 bytes, ready to send."""
    return func.convert_to(cast(json, Text), _ENCODING)


def json_row(columns: Sequence[ColumnElement[object]], source: FromClause) -> ColumnElement[object]:
    """A row of `source` as an object keyed by column names."""
    row = select(*columns).correlate(source).subquery("shown")
    return select(func.row_to_json(row.table_valued())).scalar_subquery()


def json_rows(
    columns: Sequence[ColumnElement[object]], source: FromClause, only: ColumnElement[bool] | None = None
) -> ColumnElement[object]:
    """An aggregate: the rows of `source` as an array, in their order; `only` filters them."""
    row = select(*columns).correlate(source).subquery("shown")
    rows = func.json_agg(select(row.table_valued()).scalar_subquery())
    return func.coalesce(rows if only is None else funcfilter(rows, only), literal_column("'[]'::json"))


def json_object(fields: Mapping[str, SQLColumnExpression[object]]) -> ColumnElement[object]:
    """An object of `fields`, whose names must be constants of the program."""
    return func.json_build_object(*(part for name, value in fields.items() for part in (_text(name), value)))


def _text(constant: str) -> ColumnElement[str]:
    return literal_column("'" + constant.replace("'", "''") + "'", Text)
