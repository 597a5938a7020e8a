"""The project's places: how many of its runs have a job of their own at the same time."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Row, func, select, update

from partywall.core.db.session import AsyncSession
from partywall.core.tenancy import ProjectScope
from partywall.features.agents.models import Run


@dataclass(frozen=True, slots=True)
class AdmissionRepository:
    session: AsyncSession
    scope: ProjectScope

    async def lock(self) -> None:
        """One at a time in each project, until the transaction ends."""
        digest = hashlib.sha256(f"agents admission {self.scope.project_id}".encode()).digest()
        await self.session.execute(select(func.pg_advisory_xact_lock(int.from_bytes(digest[:8], signed=True))))

    async def taken(self) -> int:
        query = select(func.count()).select_from(Run)
        return (
            await self.session.scalar(
                query.where(
                    Run.project_id == self.scope.project_id, Run.status.in_(("queued", "running")), Run.admitted
                )
            )
            or 0
        )

    async def admit(self, most: int) -> list[Row[UUID, str]]:
        """Gives so many places to those that wait longest; their ids, and who started them."""
        waiting = (
            select(Run.id)
            .where(Run.project_id == self.scope.project_id, Run.status == "queued", ~Run.admitted)
            .order_by(Run.created_at, Run.id)
            .limit(most)
        )
        admitted = await self.session.execute(
            update(Run)
            .where(Run.project_id == self.scope.project_id, Run.id.in_(waiting))
            .values(admitted=True)
            .returning(Run.id, Run.principal)
        )
        return list(admitted.all())
