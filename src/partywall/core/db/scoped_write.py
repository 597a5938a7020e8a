"""The hot write: entering, the rows, their jobs and their news in one statement, which is then the transaction.

Nothing is written before the scope is bound, whichever plan PostgreSQL picks: every row that is inserted comes out of a
join with the entering half, and what comes with them (jobs and events) is written by functions that are called with
the rows. The events get their numbers after the commit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final
from uuid import UUID

from sqlalchemy import CTE, ColumnElement, LargeBinary, Select, Text, bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY

from partywall.core.db.availability import reported
from partywall.core.db.quotas import quotas_reported
from partywall.core.db.read_pool import ReadPool
from partywall.core.db.scoped_read import PRINCIPAL, PROJECT_ID, ROLE, Statement, Value, compiled, entering
from partywall.core.db.session import AsyncSession, after_commit, note_enqueued
from partywall.core.events.announcer import Announcer
from partywall.core.jobs.kinds import Job
from partywall.core.tenancy import Principal, ProjectScope, Role, prove

_APPENDED: Final = "wall_appended"
_QUEUED: Final = "wall_queued"
# As for a read, and holds the project and the own membership until the statement has committed.
_ENTERED: Final = entering(func.wall.enter_to_write(PRINCIPAL, PROJECT_ID))
_ROLES = bindparam("roles", type_=ARRAY(Text))
_JOB_KINDS = bindparam("job_kinds", type_=ARRAY(Text))
_JOB_PAYLOADS = bindparam("job_payloads", type_=ARRAY(LargeBinary))


@dataclass(frozen=True, slots=True)
class Entered:
    """The entering half. INSERTs select from `source` where `allowed`."""

    source: CTE
    allowed: ColumnElement[bool]


@dataclass(frozen=True, slots=True)
class Written:
    """What a write consists of: `rows` are those that were inserted, `others` further data-modifying parts.

    `news` makes one jsonb object of `type`, `subject_kind`, `subject_id` and `data` out of each of the rows, in their
    order; `answer` are columns made out of them as scalar subqueries.
    """

    rows: CTE
    news: Select[*tuple[object, ...]]
    answer: Sequence[ColumnElement[object]]
    others: tuple[CTE, ...] = ()


class ScopedWrite:
    """Data-modifying parts over project tables, compiled once into one statement."""

    def __init__(self, build: Callable[[Entered], Written]) -> None:
        entered = select(_ENTERED.c[ROLE]).cte("entered").prefix_with("MATERIALIZED", dialect="postgresql")
        written = build(Entered(entered, entered.c[ROLE] == func.any(_ROLES)))
        happened = select(func.count().label("rows")).select_from(written.rows).subquery("happened")
        news = written.news.subquery("news")
        # Both are called once, and only where something was written.
        queued = select(func.wall.enqueue(_JOB_KINDS, _JOB_PAYLOADS)).where(happened.c.rows > 0)
        appended = select(func.wall.append_events(PROJECT_ID, PRINCIPAL, func.jsonb_agg(news.c[0]))).having(
            func.count() > 0
        )
        final = select(
            entered.c[ROLE],
            *written.answer,
            queued.scalar_subquery().label(_QUEUED),
            appended.select_from(news).scalar_subquery().label(_APPENDED),
        )
        self.statement: Statement = compiled(final.add_cte(*written.others))


@dataclass(frozen=True, slots=True)
class ScopedWriter:
    """Writes for one caller: in the session's transaction where one is given, or else in one of its own of the pool.

    `wake` is called after a transaction of its own that has enqueued jobs.
    """

    pool: ReadPool | None
    principal: Principal
    announcer: Announcer
    session: AsyncSession | None = None
    wake: Callable[[], None] = lambda: None

    async def row(
        self,
        write: ScopedWrite,
        project_id: UUID,
        roles: Sequence[Role],
        values: Mapping[str, Value],
        jobs: Sequence[Job] = (),
    ) -> tuple[ProjectScope, Mapping[str, object]]:
        """The scope and the answer. A stranger raises ProjectNotFoundError; without one of `roles` nothing is written.

        Constraint violations come as the driver or SQLAlchemy raises them: see `core.db.constraints`; an exceeded quota
        raises QuotaExceededError.
        """
        arguments = write.statement.arguments(
            {
                "principal": str(self.principal),
                "project_id": project_id,
                "roles": roles,
                "job_kinds": [job.kind for job in jobs],
                "job_payloads": [job.payload for job in jobs],
                **values,
            }
        )
        row = await self._run(write.statement.sql, arguments)
        if row[_QUEUED]:
            self._wake_workers()
        scope = prove(project_id, self.principal, None if row[ROLE] is None else str(row[ROLE]))
        await self._announce(scope, row[_APPENDED])
        return scope, row

    async def _run(self, sql: str, arguments: Sequence[Value]) -> Mapping[str, object]:
        if self.session is None:
            assert self.pool is not None
            with reported(), quotas_reported():
                [row] = await self.pool.fetch(sql, *arguments)
            return dict(row)
        connection = await self.session.connection()
        result = await connection.exec_driver_sql(sql, tuple(arguments))
        return dict(result.mappings().one())

    def _wake_workers(self) -> None:
        if self.session is None:
            self.wake()
        else:
            note_enqueued(self.session)

    async def _announce(self, scope: ProjectScope, appended: object) -> None:
        if isinstance(appended, int):
            announce = partial(self.announcer.announce, scope, appended)
            if self.session is None:
                await announce()
            else:
                after_commit(self.session, announce)
