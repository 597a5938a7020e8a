"""`ScopedQuery`: one statement, which is also the transaction, opens the scope and reads or writes in one round trip.

No plan of PostgreSQL reads or writes before the scope is bound:

- A read is a LATERAL subquery behind OFFSET 0. Its innermost WHERE contains `allowed`, a reference to the part that
  opens the scope. PostgreSQL can neither pull it up nor start it first.
- A write inserts only rows that come out of a join with the part that opens the scope. A function that is called with
  these rows writes the events, which are numbered after the commit.
- Text does the same, or calls one function that opens the scope first.

Without a bound scope, row-level security returns no row and admits none. `tests/features/documents` runs the statements
under every plan.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Final, Self
from uuid import UUID

from sqlalchemy import (
    CTE,
    ClauseElement,
    ColumnElement,
    Function,
    Select,
    TableValuedAlias,
    Text,
    Uuid,
    bindparam,
    func,
    literal_column,
    select,
    true,
)
from sqlalchemy import text as sql_text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql.asyncpg import dialect as asyncpg_dialect
from sqlalchemy.dialects.postgresql.base import PGCompiler

type Value = UUID | str | int | bool | float | Decimal | bytes | date | timedelta | Sequence[object] | None

PROJECT_ID: Final = bindparam("project_id", type_=Uuid)
PRINCIPAL: Final = bindparam("principal", type_=Text)
# The principal's role, null without access; and how many events the statement appended, null for none.
ROLE: Final = "wall_role"
APPENDED: Final = "wall_appended"
_ROLES: Final = bindparam("roles", type_=ARRAY(Text))
_DIALECT = asyncpg_dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves its dialects untyped


def _opening(function: Function[object]) -> TableValuedAlias:
    """The part that opens the scope: one row, whose role is null for a principal without access."""
    return function.table_valued(ROLE, name="opened").render_derived()


# A nested SELECT that mentions `allowed` correlates it. The statement is the transaction, so access is checked once.
OPENED: Final = _opening(func.wall.open_scope_statement(PRINCIPAL, PROJECT_ID))
# Locks the project and the caller's membership until the statement has committed. For requests only: with it, an owner
# accepts that the project counts for their account.
_OPENED_TO_WRITE: Final = _opening(func.wall.open_shared_scope(PRINCIPAL, PROJECT_ID, true()))


@dataclass(frozen=True, slots=True)
class OpenedScope:
    """The part that opens the scope. INSERTs select from `source` where `allowed`."""

    source: CTE
    allowed: ColumnElement[bool]


@dataclass(frozen=True, slots=True)
class WriteResult:
    """The parts of a write: `rows` are the inserted rows, `others` further data-modifying parts.

    `event_rows` makes a jsonb object of `type`, `subject_kind`, `subject_id` and `data` from each row, in order;
    `answer` are columns made from the rows by scalar subqueries.
    """

    rows: CTE
    event_rows: Select[*tuple[object, ...]]
    answer: Sequence[ColumnElement[object]]
    others: tuple[CTE, ...] = ()


@dataclass(frozen=True, slots=True)
class ScopedQuery:
    """SQL with numbered parameters, and the parameters' names in that order; compiled once."""

    sql: str
    parameters: tuple[str, ...]
    constants: Mapping[str, Value]

    @classmethod
    def read(cls, build: Callable[[ColumnElement[bool]], Select[*tuple[object, ...]]]) -> Self:
        """`build` receives `allowed`, which must stand in the WHERE of every innermost SELECT.

        Beside it stands `table.c.project_id == PROJECT_ID`.
        """
        allowed = OPENED.c[ROLE].is_not(None)
        found = build(allowed).correlate(OPENED).offset(literal_column("0")).lateral("found")
        return cls._compiled(select(OPENED.c[ROLE], *found.c).select_from(OPENED.outerjoin(found, true())))

    @classmethod
    def write(cls, build: Callable[[OpenedScope], WriteResult]) -> Self:
        """Data-modifying parts, as one statement. Its parameter `roles` names who may write."""
        opened = select(_OPENED_TO_WRITE.c[ROLE]).cte("opened").prefix_with("MATERIALIZED", dialect="postgresql")
        written = build(OpenedScope(opened, opened.c[ROLE] == func.any(_ROLES)))
        event_rows = written.event_rows.subquery("event_rows")
        # Called once, and only if something was written.
        appended = select(func.wall.append_events(PROJECT_ID, PRINCIPAL, func.jsonb_agg(event_rows.c[0]))).having(
            func.count() > 0
        )
        final = select(
            opened.c[ROLE],
            *written.answer,
            appended.select_from(event_rows).scalar_subquery().label(APPENDED),
        )
        return cls._compiled(final.add_cte(*written.others))

    @classmethod
    def text(cls, sql: str) -> Self:
        """SQL with named parameters, among them `:principal` and `:project_id`, that returns `wall_role`."""
        return cls._compiled(sql_text(sql))

    def arguments(self, bound: Mapping[str, Value]) -> list[Value]:
        values = {**self.constants, **bound} if self.constants else bound
        return [values[name] for name in self.parameters]

    @classmethod
    def _compiled(cls, statement: ClauseElement) -> Self:
        result = statement.compile(dialect=_DIALECT)
        assert isinstance(result, PGCompiler)
        constants = {name: bind.value for name, bind in result.binds.items() if not bind.required}
        return cls(str(result), tuple(result.positiontup or ()), constants)
