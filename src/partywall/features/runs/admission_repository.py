"""Counts unfinished runs of a project and of its account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from sqlalchemy import BigInteger, Uuid, bindparam, column, func, select

from partywall.core.db.session import AsyncSession
from partywall.core.tenancy import ProjectScope

_PROJECT: Final = bindparam("project", type_=Uuid)
_LOCK: Final = select(func.wall.lock_run_admission())
_OPEN: Final = select(
    func.wall.open_runs(_PROJECT)
    .table_valued(column("of_project", BigInteger), column("of_account", BigInteger))
    .render_derived()
)


class OpenRuns(NamedTuple):
    """Numbers of runs that are queued, running or waiting."""

    of_project: int
    of_account: int


@dataclass(frozen=True, slots=True)
class AdmissionRepository:
    """Counts for the account of the bound project, including that account's other projects."""

    session: AsyncSession
    scope: ProjectScope

    async def lock(self) -> None:
        """Locks the account's run admission until the transaction ends."""
        await self.session.execute(_LOCK)

    async def open(self) -> OpenRuns | None:
        """None if the scope's project is not the bound one."""
        row = (await self.session.execute(_OPEN, {"project": self.scope.project_id})).one_or_none()
        return None if row is None else OpenRuns(*row)
