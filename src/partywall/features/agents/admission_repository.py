"""How many runs are unfinished, in a project and over all of an account's."""

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
    """How many are neither finished nor cancelled."""

    of_project: int
    of_account: int


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
