"""The write of the fast path: one statement, which is also the transaction, opens the scope and writes rows and events.

No plan of PostgreSQL writes before the scope is bound: every inserted row comes out of a join with the part that opens
the scope, and a function that is called with these rows writes the events. Events are numbered after the commit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import CTE, ColumnElement, Select, Text, bindparam, func, select, true
from sqlalchemy.dialects.postgresql import ARRAY

from partywall.core.db.availability import reported
from partywall.core.db.quotas import quotas_reported
from partywall.core.db.read_pool import ReadPool
from partywall.core.db.scoped_read import PRINCIPAL, PROJECT_ID, ROLE, Statement, Value, compiled, entering
from partywall.core.db.session import Announce, AsyncSession, note_appended
from partywall.core.tenancy import Principal, ProjectScope, Role, make_scope

_APPENDED: Final = "wall_appended"
# As for a read, but locks the project and the caller's membership until the statement has committed. For requests only:
# with it, an owner accepts that the project counts for their account.
_ENTERED: Final = entering(func.wall.open_shared_scope(PRINCIPAL, PROJECT_ID, true()))
_ROLES = bindparam("roles", type_=ARRAY(Text))


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


class ScopedWrite:
    """Data-modifying parts over project tables, compiled once into one statement."""

    def __init__(self, build: Callable[[OpenedScope], WriteResult]) -> None:
        entered = select(_ENTERED.c[ROLE]).cte("entered").prefix_with("MATERIALIZED", dialect="postgresql")
        written = build(OpenedScope(entered, entered.c[ROLE] == func.any(_ROLES)))
        event_rows = written.event_rows.subquery("event_rows")
        # Called once, and only if something was written.
        appended = select(func.wall.append_events(PROJECT_ID, PRINCIPAL, func.jsonb_agg(event_rows.c[0]))).having(
            func.count() > 0
        )
        final = select(
            entered.c[ROLE],
            *written.answer,
            appended.select_from(event_rows).scalar_subquery().label(_APPENDED),
        )
        self.statement: Statement = compiled(final.add_cte(*written.others))


class Autocommit(NamedTuple):
    """Commits each statement, and announces its events."""

    pool: ReadPool
    announce: Announce


@dataclass(frozen=True, slots=True)
class ScopedWriter:
    """Writes for one caller: in the transaction of a session, or each write in one of its own."""

    principal: Principal
    transaction: AsyncSession | Autocommit

    @property
    def session(self) -> AsyncSession | None:
        return None if isinstance(self.transaction, Autocommit) else self.transaction

    async def row(
        self,
        write: ScopedWrite,
        project_id: UUID,
        roles: Sequence[Role],
        values: Mapping[str, Value],
    ) -> tuple[ProjectScope, Mapping[str, object]]:
        """The scope and the answer. Nothing is written if the caller has none of `roles`.

        Raises ProjectNotFoundError without access, QuotaExceededError, and constraint violations as the driver or
        SQLAlchemy raises them: see `core.db.constraints`.
        """
        arguments = write.statement.arguments(
            {
                "principal": str(self.principal),
                "project_id": project_id,
                "roles": roles,
                **values,
            }
        )
        row = await self._run(write.statement.sql, arguments)
        scope = make_scope(project_id, self.principal, None if row[ROLE] is None else str(row[ROLE]))
        self._announce(scope, row[_APPENDED])
        return scope, row

    async def _run(self, sql: str, arguments: Sequence[Value]) -> Mapping[str, object]:
        if isinstance(self.transaction, Autocommit):
            with reported(), quotas_reported():
                [row] = await self.transaction.pool.fetch(sql, *arguments)
            return dict(row)
        connection = await self.transaction.connection()
        result = await connection.exec_driver_sql(sql, tuple(arguments))
        return dict(result.mappings().one())

    def _announce(self, scope: ProjectScope, appended: object) -> None:
        if not isinstance(appended, int):
            return
        if isinstance(self.transaction, Autocommit):
            self.transaction.announce(scope, appended)
        else:
            note_appended(self.transaction, scope, appended)
