"""The read of the fast path: one autocommitted statement checks membership, binds the scope and reads the rows.

The reading part is a LATERAL subquery behind OFFSET 0. Its innermost WHERE contains `allowed`, a reference to the part
that opens the scope. PostgreSQL can neither pull it up nor start it first, so no plan reads before the scope is bound.
Without a bound scope, row-level security returns no row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final
from uuid import UUID

import asyncpg
from sqlalchemy import (
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
from sqlalchemy.dialects.postgresql.asyncpg import dialect as asyncpg_dialect
from sqlalchemy.dialects.postgresql.base import PGCompiler

from partywall.core.db.availability import reported
from partywall.core.db.read_pool import ReadPool
from partywall.core.tenancy import Principal, PrincipalKind, ProjectNotFoundError, ProjectScope, make_scope

type Value = UUID | str | int | bool | float | Decimal | bytes | date | Sequence[object] | None

PROJECT_ID: Final = bindparam("project_id", type_=Uuid)
PRINCIPAL: Final = bindparam("principal", type_=Text)
ROLE: Final = "wall_role"
# Shorter than the statement timeout: a read can be repeated.
READ_SECONDS: Final = 5.0


def entering(enter: Function[object]) -> TableValuedAlias:
    """The part that opens the scope: one row, whose role is null for a principal without access."""
    return enter.table_valued(ROLE, name="entered").render_derived()


# A nested SELECT that mentions `allowed` correlates it. The statement is the transaction, so access is checked once.
ENTERED: Final = entering(func.wall.open_scope_statement(PRINCIPAL, PROJECT_ID))
_DIALECT = asyncpg_dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves its dialects untyped


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL with numbered parameters, and the parameters' names in that order."""

    sql: str
    parameters: tuple[str, ...]
    constants: Mapping[str, Value]

    def arguments(self, bound: Mapping[str, Value]) -> list[Value]:
        values = {**self.constants, **bound} if self.constants else bound
        return [values[name] for name in self.parameters]


def compiled(statement: ClauseElement) -> Statement:
    result = statement.compile(dialect=_DIALECT)
    assert isinstance(result, PGCompiler)
    constants = {name: bind.value for name, bind in result.binds.items() if not bind.required}
    return Statement(str(result), tuple(result.positiontup or ()), constants)


class ScopedRead:
    """A SELECT over project tables, compiled once.

    `build` receives `allowed`, which must stand in the WHERE of every innermost SELECT, beside
    `table.c.project_id == PROJECT_ID`.
    """

    def __init__(self, build: Callable[[ColumnElement[bool]], Select[*tuple[object, ...]]]) -> None:
        allowed = ENTERED.c[ROLE].is_not(None)
        found = build(allowed).correlate(ENTERED).offset(literal_column("0")).lateral("found")
        self.statement = compiled(select(ENTERED.c[ROLE], *found.c).select_from(ENTERED.outerjoin(found, true())))


_OPEN_SCOPE: Final = compiled(select(func.wall.open_scope(PRINCIPAL, PROJECT_ID).label(ROLE)))


@dataclass(frozen=True, slots=True)
class ScopedReader:
    """Reads for one caller. Results include the scope; without access, ProjectNotFoundError is raised."""

    pool: ReadPool
    principal: Principal

    async def row(
        self, read: ScopedRead, project_id: UUID, values: Mapping[str, Value]
    ) -> tuple[ProjectScope, asyncpg.Record]:
        """The scope and the first row; its columns are None if nothing was found."""
        return await self._row(read.statement, project_id, values)

    async def long_row(
        self, read: ScopedRead, project_id: UUID, values: Mapping[str, Value]
    ) -> tuple[ProjectScope, asyncpg.Record]:
        """The same for reads that may scan the whole project.

        Raises TooMuchAtOnceError, SharedOutError and ReadTimeoutError.
        """
        return await self._row(read.statement, project_id, values, self.pool.long)

    async def scope(self, project_id: UUID) -> ProjectScope:
        """The scope alone, for work that comes before any row."""
        scope, _ = await self._row(_OPEN_SCOPE, project_id, {})
        return scope

    async def account(self, project_id: UUID) -> UUID:
        """The account that the principal's use of a project counts for.

        This is a user's own account. For a key or the project's worker it is the account that the project counts for.
        Raises ProjectNotFoundError if the project has none.
        """
        if self.principal.kind is PrincipalKind.USER:
            return self.principal.id
        with reported():
            owner = await self.pool.fetchval("SELECT wall.owner_account($1)", project_id)
        if not isinstance(owner, UUID):
            raise ProjectNotFoundError
        return owner

    async def _row(
        self, statement: Statement, project_id: UUID, values: Mapping[str, Value], pool: ReadPool | None = None
    ) -> tuple[ProjectScope, asyncpg.Record]:
        bound = {"principal": str(self.principal), "project_id": project_id, **values}
        with reported():
            row = await (pool or self.pool).fetchrow(statement.sql, *statement.arguments(bound), timeout=READ_SECONDS)
        scope = make_scope(project_id, self.principal, None if row is None else row[ROLE])
        assert row is not None
        return scope, row
