"""The hot read: membership, the bound scope, row-level security and the row in one autocommitted statement.

The reading half is a LATERAL subquery behind OFFSET 0 whose innermost WHERE holds `proved`, a reference to the entering
half. PostgreSQL can neither pull it up nor start it first, so it never reads before the scope is bound, whichever plan
it picks; were it to, nothing bound means no row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

import asyncpg
from sqlalchemy import ColumnElement, Select, Text, Uuid, bindparam, func, literal_column, select, true
from sqlalchemy.dialects.postgresql.asyncpg import dialect as asyncpg_dialect

from partywall.core.tenancy import Principal, ProjectScope, prove

type Value = UUID | str | int | bool | float | None

PROJECT_ID = bindparam("project_id", type_=Uuid)
_PRINCIPAL = bindparam("principal", type_=Text)
_ROLE = "wall_role"
_DIALECT = asyncpg_dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves its dialects untyped


class ScopedRead:
    """A SELECT over project tables, compiled once.

    `build` receives `proved`, which must stand in the WHERE of every innermost SELECT, beside
    `table.c.project_id == PROJECT_ID`.
    """

    def __init__(self, build: Callable[[ColumnElement[bool]], Select[*tuple[object, ...]]]) -> None:
        entered = func.wall.enter(_PRINCIPAL, PROJECT_ID).table_valued(_ROLE, name="entered")
        proved = entered.c[_ROLE].is_not(None)
        found = build(proved).correlate(entered).offset(literal_column("0")).lateral("found")
        statement = select(entered.c[_ROLE], *found.c).select_from(entered.outerjoin(found, true()))
        compiled = statement.compile(dialect=_DIALECT)
        self.sql = str(compiled)
        self.parameters: tuple[str, ...] = tuple(compiled.positiontup or ())


@dataclass(frozen=True, slots=True)
class ScopedReader:
    """Reads for one caller. The answer carries the proof: a stranger raises ProjectNotFoundError."""

    pool: asyncpg.Pool[asyncpg.Record]
    principal: Principal

    async def row(
        self, read: ScopedRead, project_id: UUID, values: Mapping[str, Value]
    ) -> tuple[ProjectScope, asyncpg.Record]:
        """The scope and the first row; its columns are None where nothing was found."""
        bound = {"principal": str(self.principal), "project_id": project_id, **values}
        row = await self.pool.fetchrow(read.sql, *[bound[name] for name in read.parameters])
        scope = prove(project_id, self.principal, None if row is None else row[_ROLE])
        assert row is not None
        return scope, row
