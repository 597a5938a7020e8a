from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import func, select

from partywall.core.audit.models import AccountAudit, ProjectAudit
from partywall.core.db.keyset import After, Keyset
from partywall.core.db.session import AsyncReadSession
from partywall.core.tenancy import ProjectScope

OF_ACCOUNTS: Final = Keyset({"created_at": AccountAudit.created_at}, AccountAudit.id)
OF_PROJECTS: Final = Keyset({"created_at": ProjectAudit.created_at}, ProjectAudit.id)


@dataclass(frozen=True, slots=True)
class AccountAuditRepository:
    """The trail of the bound user."""

    session: AsyncReadSession
    account_id: UUID

    async def page(self, sort: str, limit: int, offset: int, after: After | None) -> list[AccountAudit]:
        own = select(AccountAudit).where(AccountAudit.account_id == self.account_id)
        return list(await self.session.scalars(OF_ACCOUNTS.page(own, sort, limit, offset, after)))

    async def count(self) -> int:
        own = select(func.count()).select_from(AccountAudit).where(AccountAudit.account_id == self.account_id)
        return await self.session.scalar(own) or 0


@dataclass(frozen=True, slots=True)
class ProjectAuditRepository:
    """The trail of the project; only its owners see rows."""

    session: AsyncReadSession
    scope: ProjectScope

    async def page(self, sort: str, limit: int, offset: int, after: After | None) -> list[ProjectAudit]:
        ours = select(ProjectAudit).where(ProjectAudit.project_id == self.scope.project_id)
        return list(await self.session.scalars(OF_PROJECTS.page(ours, sort, limit, offset, after)))

    async def count(self) -> int:
        ours = select(func.count()).select_from(ProjectAudit).where(ProjectAudit.project_id == self.scope.project_id)
        return await self.session.scalar(ours) or 0
