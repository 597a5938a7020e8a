"""Conditions and order of lists that are read page by page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, DateTime, Select, UnaryExpression, Uuid, bindparam, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from partywall.core.errors import ForeignCursorError
from partywall.core.schemas import to_rfc3339

type SortColumn = InstrumentedAttribute[datetime] | InstrumentedAttribute[str]
# The parameters of `Keyset.after`.
type After = Mapping[str, datetime | str | UUID]


@dataclass(frozen=True, slots=True)
class Keyset:
    """Keyset pagination by `(column, id)` for the allowed sorts: `created_at`, `-created_at`, ..."""

    columns: Mapping[str, SortColumn]
    id: InstrumentedAttribute[UUID]

    def column(self, sort: str) -> SortColumn:
        return self.columns[sort.removeprefix("-")]

    def order(self, sort: str) -> tuple[UnaryExpression[datetime] | UnaryExpression[str], UnaryExpression[UUID]]:
        column = self.column(sort)
        if sort.startswith("-"):
            return column.desc(), self.id.desc()
        return column.asc(), self.id.asc()

    def after(self, sort: str) -> ColumnElement[bool]:
        """The condition for rows after the parameters `after_value` and `after_id`."""
        column = self.column(sort)
        here = tuple_(column, self.id)
        there = tuple_(bindparam("after_value", type_=column.type), bindparam("after_id", type_=Uuid))
        return here < there if sort.startswith("-") else here > there

    def page[*Columns](
        self, query: Select[*Columns], sort: str, limit: int, offset: int, after: After | None
    ) -> Select[*Columns]:
        """One page of `query`'s rows; `after` is bound in it."""
        if after is not None:
            query = query.where(self.after(sort)).params(after)
        return query.order_by(*self.order(sort)).limit(limit).offset(offset)

    def written(self, value: datetime | str, id_: UUID) -> list[str]:
        """The position of a row, for a cursor."""
        return [to_rfc3339(value) if isinstance(value, datetime) else value, str(id_)]

    def parse(self, sort: str, position: list[str]) -> dict[str, datetime | str | UUID]:
        """The parameters of `after` from a position; raises ForeignCursorError."""
        value, id_ = position
        try:
            is_instant = isinstance(self.column(sort).type, DateTime)
            return {
                "after_value": datetime.fromisoformat(value) if is_instant else value,
                "after_id": UUID(id_),
            }
        except ValueError as error:
            raise ForeignCursorError from error
