"""The places of runs: how many have a job of their own at the same time, in a project and over all of an account's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import BigInteger, Integer, Text, Uuid, bindparam, column, func, select

from partywall.core.db.session import AsyncReadSession, AsyncSession
from partywall.core.tenancy import ProjectScope

_PROJECT: Final = bindparam("project", type_=Uuid)
_LOCK: Final = select(func.wall.lock_run_admission())
_OPEN: Final = select(
    func.wall.open_runs(_PROJECT)
    .table_valued(column("of_project", BigInteger), column("of_account", BigInteger))
    .render_derived()
)
_ADMIT: Final = select(
    func.wall.admit_runs(
        _PROJECT, bindparam("each_project", type_=Integer), bindparam("each_account", type_=Integer)
    ).table_valued(column("project_id", Uuid), column("run_id", Uuid), column("principal", Text))
)
_WAITING: Final = select(func.wall.projects_with_waiting_runs().column_valued("project_id"))


class OpenRuns(NamedTuple):
    """How many are neither finished nor cancelled."""

    of_project: int
    of_account: int


class AdmittedRun(NamedTuple):
    project_id: UUID
    run_id: UUID
    principal: str


@dataclass(frozen=True, slots=True)
class AdmissionRepository:
    """Goes by the account that the bound project counts for, so it sees that account's other projects as well."""

    session: AsyncSession
    scope: ProjectScope

    async def lock(self) -> None:
        """One at a time for each account, until the transaction ends."""
        await self.session.execute(_LOCK)

    async def open(self) -> OpenRuns | None:
        """None where the scope's project is not the one that is bound."""
        row = (await self.session.execute(_OPEN, {"project": self.scope.project_id})).one_or_none()
        return None if row is None else OpenRuns(*row)

    async def admit(self, *, each_project: int, each_account: int) -> list[AdmittedRun]:
        """Gives the account's free places to the runs that wait."""
        given = {"project": self.scope.project_id, "each_project": each_project, "each_account": each_account}
        return [AdmittedRun(*row) for row in await self.session.execute(_ADMIT, given)]


async def projects_with_waiting_runs(session: AsyncReadSession) -> list[UUID]:
    """One for each account that has runs without a place."""
    return list(await session.scalars(_WAITING))
