from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import Select, TableValuedAlias, Text, Uuid, column, delete, func, select, update

from partywall.core.db.keyset import After, Keyset
from partywall.core.db.scopes import keep_out
from partywall.core.db.session import AsyncReadSession, AsyncSession
from partywall.core.tenancy import ExclusiveScope, Principal, ProjectScope, Role
from partywall.features.projects.models import ProjectMember

_ACCEPT: Final = select(func.wall.accept_project())
KEYSET: Final = Keyset({"created_at": ProjectMember.joined_at}, ProjectMember.account_id)

# What members may see of each other. Each account itself is visible only to its owner.
_PERSON: Final[TableValuedAlias] = func.wall.members().table_valued(
    column("account_id", Uuid), column("email", Text), column("full_name", Text), name="person"
)


class MemberRow(NamedTuple):
    """A membership with its person. `revision` counts role changes."""

    account_id: UUID
    email: str
    full_name: str | None
    role: str
    joined_at: datetime
    revision: int


@dataclass(frozen=True, slots=True)
class MemberRepository:
    session: AsyncReadSession
    scope: ProjectScope

    async def get(self, account_id: UUID) -> MemberRow | None:
        row = (await self.session.execute(self._members().where(ProjectMember.account_id == account_id))).one_or_none()
        return None if row is None else MemberRow(*row)

    async def has_address(self, email: str) -> bool:
        query = select(_PERSON.c.account_id).where(_PERSON.c.email == email)
        return await self.session.scalar(query) is not None

    async def page(self, sort: str, limit: int, offset: int, after: After | None) -> list[MemberRow]:
        query = KEYSET.page(self._members(), sort, limit, offset, after)
        return [MemberRow(*row) for row in await self.session.execute(query)]

    async def count(self) -> int:
        return await self._count(Role)

    async def owners(self) -> int:
        return await self._count([Role.OWNER])

    async def _count(self, roles: type[Role] | list[Role]) -> int:
        query = select(func.count()).where(
            ProjectMember.project_id == self.scope.project_id, ProjectMember.role.in_([role.value for role in roles])
        )
        return await self.session.scalar(query) or 0

    def _members(self) -> Select[UUID, str, str | None, str, datetime, int]:
        return (
            select(
                ProjectMember.account_id, _PERSON.c.email, _PERSON.c.full_name, ProjectMember.role,
                ProjectMember.joined_at, ProjectMember.revision,
            )
            .join(_PERSON, _PERSON.c.account_id == ProjectMember.account_id)
            .where(ProjectMember.project_id == self.scope.project_id)
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class MemberWriter:
    """Raises NoResultFound if the database's policies refuse a change."""

    session: AsyncSession
    scope: ExclusiveScope

    async def change(self, account_id: UUID, role: Role) -> None:
        await keep_out(self.session, self.scope, Principal.user(account_id))
        changed = await self.session.scalars(
            update(ProjectMember)
            .where(ProjectMember.project_id == self.scope.project_id, ProjectMember.account_id == account_id)
            .values(role=role.value, revision=ProjectMember.revision + 1)
            .returning(ProjectMember.account_id)
        )
        changed.one()

    async def remove(self, account_id: UUID) -> None:
        await keep_out(self.session, self.scope, Principal.user(account_id))
        removed = await self.session.scalars(
            delete(ProjectMember)
            .where(ProjectMember.project_id == self.scope.project_id, ProjectMember.account_id == account_id)
            .returning(ProjectMember.account_id)
        )
        removed.one()


async def accept_project(session: AsyncSession, scope: ExclusiveScope) -> None:
    """If the caller is an owner and no active owner has the project, count it for the caller's account.

    Call it for the caller's own changes. Raises QuotaExceededError.
    """
    if scope.role is Role.OWNER:
        await session.execute(_ACCEPT)
