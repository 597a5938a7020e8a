"""The statement that counts documents by the values of fields, for all fields in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

from pydantic import Field as SchemaField
from pydantic import PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError
from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    Text,
    and_,
    cast,
    func,
    literal,
    literal_column,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONPATH
from sqlalchemy.sql.selectable import LateralFromClause

from partywall.core.db.scoped_query import OPENED, PROJECT_ID, ScopedQuery
from partywall.core.schemas import JsonObject
from partywall.features.documents.filters.conditions import at
from partywall.features.documents.filters.fields import LONGEST_NAME, LONGEST_PATH, read_field
from partywall.features.documents.filters.matches import Matching
from partywall.features.documents.filters.tree import Field
from partywall.features.documents.models import DOCUMENT

MOST_FACETS: Final = 8
MOST_VALUES: Final = 50
_LONGEST_VALUE: Final = 200
_COUNTED: Final = frozenset({"status", "index_status", "media_type"})
_ITEMS: Final = literal_column("'$[*]'", JSONPATH)
_SCALARS: Final = literal_column("ARRAY['string', 'number', 'boolean']", ARRAY(Text))

_FACET: Final[JsonObject] = {
    "type": "string",
    "pattern": rf"^({'|'.join(sorted(_COUNTED))}|metadata(\.[^.]+){{1,{LONGEST_PATH}}})$",
    "maxLength": LONGEST_NAME,
    "examples": ["metadata.kind"],
}


def read_facet(value: object) -> Field:
    """Raises PydanticCustomError."""
    field = read_field(value)
    if not all(field.path):
        raise PydanticCustomError("too_short", "A key that is counted is not empty")
    if not field.path and field.name not in _COUNTED:
        known = ", ".join(sorted(_COUNTED))
        raise PydanticCustomError("literal_error", "Count by {known} or metadata.KEY", {"known": known})
    return field


GivenFacets = Annotated[
    list[Annotated[Field, PlainValidator(read_facet), WithJsonSchema(_FACET)]],
    SchemaField(max_length=MOST_FACETS),
]


def value_counts(matching: Matching | None, fields: Sequence[Field]) -> ScopedQuery:
    """Arrays of a field's number, a value as JSON, and its count: one value more than MOST_VALUES of each field."""

    def counted(allowed: ColumnElement[bool]) -> Select[*tuple[object, ...]]:
        given = _values(fields)
        matched = true() if matching is None else matching.condition
        found = (
            select(given.c.number, given.c.value, func.count().label("documents"))
            .select_from(DOCUMENT.join(given, true()))
            .where(DOCUMENT.c.project_id == PROJECT_ID, allowed, matched, _is_shown(given.c.value))
            .group_by(given.c.number, given.c.value)
            .correlate(OPENED)
            .lateral("found")
        )
        order = (found.c.documents.desc(), found.c.value)
        place = func.row_number().over(partition_by=found.c.number, order_by=order).label("place")
        ranked = select(*found.c, place).select_from(found).lateral("ranked")
        return select(
            func.array_agg(ranked.c.number).label("numbers"),
            func.array_agg(cast(ranked.c.value, Text)).label("found"),
            func.array_agg(ranked.c.documents).label("counts"),
        ).where(ranked.c.place <= MOST_VALUES + 1)

    return ScopedQuery.read(counted)


def _values(fields: Sequence[Field]) -> LateralFromClause:
    """The number of each field with its value in a document; of a list, its items."""
    values = (at(field.path) if field.path else func.to_jsonb(DOCUMENT.c[field.name]) for field in fields)
    each = [
        select(literal(number, Integer).label("number"), func.jsonb_path_query(value, _ITEMS).label("value")).correlate(
            DOCUMENT
        )
        for number, value in enumerate(values)
    ]
    return union_all(*each).lateral("given") if len(each) > 1 else each[0].lateral("given")


def _is_shown(value: ColumnElement[object]) -> ColumnElement[bool]:
    return and_(
        func.jsonb_typeof(value).op("=")(func.any(_SCALARS)), func.length(cast(value, Text)) <= literal(_LONGEST_VALUE)
    )
