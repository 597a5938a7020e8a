"""Turns rows into one page of a list: the items as JSON, and the position where the next page begins."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    SQLColumnExpression,
    Text,
    and_,
    bindparam,
    case,
    cast,
    func,
    funcfilter,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql.selectable import LateralFromClause

from partywall.core.db.json_rows import json_bytes, json_rows
from partywall.core.db.scoped_query import OPENED
from partywall.core.large_answers import LARGE_ANSWER_BYTES
from partywall.core.pagination import PAGE_BYTES

type Page = Select[*tuple[object, ...]]

_PLACE: Final = "place_in_page"
_BEFORE: Final = "bytes_before"
_LIMIT: Final = bindparam("limit", type_=Integer)


def whole_page(chosen: LateralFromClause, value: str, id_: str, total: SQLColumnExpression[object]) -> Page:
    """The page's items, whether there are more, and the position of its last row."""
    shown = list(chosen.c)
    # Number the rows outside the sorting subquery: inside it, the window would count before the sort.
    rows = select(*shown, func.row_number().over().label(_PLACE)).select_from(chosen).lateral("page")
    is_last = rows.c[_PLACE] == _LIMIT
    return select(
        json_bytes(json_rows([rows.c[column.name] for column in shown], rows, rows.c[_PLACE] <= _LIMIT)).label("items"),
        (func.count() > _LIMIT).label("more"),
        funcfilter(func.max(cast(rows.c[value], Text)), is_last).label("last_value"),
        funcfilter(func.max(cast(rows.c[id_], Text)), is_last).label("last_id"),
        total.label("total"),
    ).select_from(rows)


def unless_large(page: Page) -> Page:
    """NULL items if their JSON exceeds LARGE_ANSWER_BYTES. The size is only known once the JSON is built."""
    written = page.correlate(OPENED).lateral("written")
    items = case(
        (func.octet_length(written.c["items"]) <= literal_column(str(LARGE_ANSWER_BYTES), Integer), written.c["items"])
    )
    return select(items.label("items"), *(each for each in written.c if each.name != "items"))


def short_page(chosen: LateralFromClause, value: str, id_: str, total: SQLColumnExpression[object]) -> Page:
    """Like `whole_page`, but ends once its rows have PAGE_BYTES of metadata."""
    shown = list(chosen.c)
    weight = func.octet_length(cast(chosen.c.metadata, Text))
    rows = (
        select(*shown, func.row_number().over().label(_PLACE),
               (func.sum(weight).over(rows=(None, 0)) - weight).label(_BEFORE))
        .select_from(chosen)
        .lateral("page")
    )  # fmt: skip
    fits = and_(rows.c[_PLACE] <= _LIMIT, rows.c[_BEFORE] < literal_column(str(PAGE_BYTES), Integer))

    count = cast(funcfilter(func.count(), fits), Integer)

    def last(name: str) -> ColumnElement[object]:
        """The value in the last row. An aggregate with its own ORDER BY would change the order of the others."""
        values = funcfilter(func.array_agg(cast(rows.c[name], Text), type_=ARRAY(Text)), fits)
        element: ColumnElement[object] = values[count]
        return element

    return select(
        json_bytes(json_rows([rows.c[column.name] for column in shown], rows, fits)).label("items"),
        (func.count() > count).label("more"),
        last(value).label("last_value"),
        last(id_).label("last_id"),
        total.label("total"),
    ).select_from(rows)
