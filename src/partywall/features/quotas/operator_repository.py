"""Quotas as the operator's commands read and set them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from uuid import UUID

from sqlalchemy import Text, Uuid, bindparam, column, delete, func, select, table
from sqlalchemy.dialects.postgresql import insert

from partywall.core.db.session import AsyncReadSession
from partywall.features.quotas.models import AccountQuota, ProjectQuota, QuotaDefault
from partywall.features.quotas.owners import Owner

# The columns of other slices' tables that identify an owner.
_PROJECT: Final = table("project", column("id", Uuid))
_ACCOUNT: Final = table("account", column("id", Uuid), column("email", Text))
_RECOUNT: Final = select(func.wall.recount_usage(bindparam("project_id", type_=Uuid)))


@dataclass(frozen=True, slots=True)
# lint: allow project-scope - operators act for any project, as the owner of the tables
class QuotaOperator:
    """Quotas of any project or account. Needs a connection of the migration owner, whom the policies allow."""

    session: AsyncReadSession

    async def exists(self, owner: Owner) -> bool:
        named = _ACCOUNT if owner.is_account else _PROJECT
        return await self.session.scalar(select(named.c.id).where(named.c.id == owner.id)) is not None

    async def account(self, email: str) -> UUID | None:
        found: UUID | None = await self.session.scalar(select(_ACCOUNT.c.id).where(_ACCOUNT.c.email == email))
        return found

    async def projects(self) -> list[UUID]:
        return list(await self.session.scalars(select(_PROJECT.c.id).order_by(_PROJECT.c.id)))

    async def defaults(self) -> dict[str, Decimal | None]:
        rows = await self.session.execute(select(QuotaDefault.quota, QuotaDefault.most))
        return {row.quota: row.most for row in rows}

    async def own(self, owner: Owner) -> dict[str, Decimal | None]:
        if owner.is_account:
            rows = await self.session.execute(
                select(AccountQuota.quota, AccountQuota.most).where(AccountQuota.account_id == owner.id)
            )
        else:
            rows = await self.session.execute(
                select(ProjectQuota.quota, ProjectQuota.most).where(ProjectQuota.project_id == owner.id)
            )
        return {row.quota: row.most for row in rows}

    async def set(self, owner: Owner, quota: str, most: Decimal | None) -> None:
        changed = {"most": most, "set_at": func.now()}
        if owner.is_account:
            account = insert(AccountQuota).values(account_id=owner.id, quota=quota, most=most)
            await self.session.execute(account.on_conflict_do_update(constraint="account_quota_pkey", set_=changed))
        else:
            project = insert(ProjectQuota).values(project_id=owner.id, quota=quota, most=most)
            await self.session.execute(project.on_conflict_do_update(constraint="project_quota_pkey", set_=changed))

    async def clear(self, owner: Owner, quota: str | None) -> None:
        if owner.is_account:
            statement = delete(AccountQuota).where(AccountQuota.account_id == owner.id)
            only = AccountQuota.quota == quota
        else:
            statement = delete(ProjectQuota).where(ProjectQuota.project_id == owner.id)
            only = ProjectQuota.quota == quota
        await self.session.execute(statement if quota is None else statement.where(only))

    async def recount(self, project_id: UUID) -> bool:
        """Recount once no writer is active in the project. Returns whether the stored count was wrong."""
        return bool(await self.session.scalar(_RECOUNT, {"project_id": project_id}))
