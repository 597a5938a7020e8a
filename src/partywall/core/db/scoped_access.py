"""Runs `ScopedQuery`s for one caller. Results include the scope; without access, ProjectNotFoundError is raised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg

from partywall.core.db.driver_errors import reported
from partywall.core.db.read_pool import ReadPool
from partywall.core.db.scoped_query import APPENDED, ROLE, ScopedQuery, Value
from partywall.core.db.session import Announce, AsyncSession, note_appended
from partywall.core.tenancy import Principal, PrincipalKind, ProjectNotFoundError, ProjectScope, Role, make_scope

# Shorter than the statement timeout: a read can be repeated.
READ_SECONDS: Final = 5.0
_OPEN_SCOPE: Final = ScopedQuery.text(f"SELECT wall.open_scope(:principal, :project_id) AS {ROLE}")


@dataclass(frozen=True, slots=True)
class ScopedReader:
    pool: ReadPool
    principal: Principal

    async def row(
        self,
        query: ScopedQuery,
        project_id: UUID,
        values: Mapping[str, Value],
        *,
        timeout: float | None = READ_SECONDS,  # noqa: ASYNC109 - asyncpg's parameter
    ) -> tuple[ProjectScope, asyncpg.Record]:
        """The scope and the first row; its columns are None if nothing was found."""
        return await self._row(self.pool, query, project_id, values, timeout)

    async def long_row(
        self, query: ScopedQuery, project_id: UUID, values: Mapping[str, Value]
    ) -> tuple[ProjectScope, asyncpg.Record]:
        """The same for reads that may scan the whole project.

        Raises TooMuchAtOnceError, SharedOutError and ReadTimeoutError.
        """
        return await self._row(self.pool.long, query, project_id, values, READ_SECONDS)

    async def scope(self, project_id: UUID) -> ProjectScope:
        """The scope alone, for work that comes before any row."""
        scope, _ = await self.row(_OPEN_SCOPE, project_id, {})
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
        self,
        pool: ReadPool,
        query: ScopedQuery,
        project_id: UUID,
        values: Mapping[str, Value],
        timeout: float | None,  # noqa: ASYNC109 - asyncpg's parameter
    ) -> tuple[ProjectScope, asyncpg.Record]:
        bound = {"principal": str(self.principal), "project_id": project_id, **values}
        with reported():
            row = await pool.fetchrow(query.sql, *query.arguments(bound), timeout=timeout)
        scope = make_scope(project_id, self.principal, None if row is None else row[ROLE])
        assert row is not None
        return scope, row


class Autocommit(NamedTuple):
    """Commits each statement, and announces its events."""

    pool: ReadPool
    announce: Announce


@dataclass(frozen=True, slots=True)
class ScopedWriter:
    """Writes in the transaction of a session, or each statement in one of its own."""

    principal: Principal
    transaction: AsyncSession | Autocommit

    @property
    def session(self) -> AsyncSession | None:
        return None if isinstance(self.transaction, Autocommit) else self.transaction

    async def row(
        self, query: ScopedQuery, project_id: UUID, roles: Sequence[Role], values: Mapping[str, Value]
    ) -> tuple[ProjectScope, Mapping[str, object]]:
        """The scope and the answer. Nothing is written if the caller has none of `roles`.

        Raises ProjectNotFoundError without access, QuotaExceededError, and constraint violations as the driver or
        SQLAlchemy raises them: see `core.db.driver_errors`.
        """
        bound = {"principal": str(self.principal), "project_id": project_id, "roles": roles, **values}
        row = await self._run(query.sql, query.arguments(bound))
        scope = make_scope(project_id, self.principal, None if row[ROLE] is None else str(row[ROLE]))
        self._announce(scope, row[APPENDED])
        return scope, row

    async def _run(self, sql: str, arguments: Sequence[Value]) -> Mapping[str, object]:
        if isinstance(self.transaction, Autocommit):
            with reported():
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
