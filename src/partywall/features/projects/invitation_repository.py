from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, LargeBinary, and_, bindparam, delete, func, insert, select

from partywall.core.db.keyset import After, Keyset
from partywall.core.db.session import AsyncReadSession, AsyncSession
from partywall.core.tenancy import ExclusiveScope, Principal, ProjectScope, Role
from partywall.features.projects.models import Invitation, Project

KEYSET: Final = Keyset({"created_at": Invitation.created_at}, Invitation.id)
_ACCEPT: Final = select(func.wall.accept_invitation(bindparam("presented", type_=LargeBinary)))


@dataclass(frozen=True, slots=True)
class InvitationGateway:
    """What the bound user may do before a project scope exists."""

    session: AsyncSession

    async def accept(self, token_hash: bytes) -> UUID | None:
        """Use up the token, make the bound user a member and return the project. None if it is not valid for them."""
        entered: UUID | None = await self.session.scalar(_ACCEPT, {"presented": token_hash})
        return entered


@dataclass(frozen=True, slots=True)
class InvitationRepository:
    """The invitations that have not expired."""

    session: AsyncReadSession
    scope: ProjectScope

    async def get(self, id_: UUID) -> Invitation | None:
        return (
            await self.session.scalars(select(Invitation).where(self._pending(), Invitation.id == id_))
        ).one_or_none()

    async def project_name(self) -> str | None:
        """The project's name, or None if it has been deleted."""
        return await self.session.scalar(select(Project.name).where(Project.id == self.scope.project_id))

    async def has_address(self, email: str) -> bool:
        query = select(Invitation.id).where(self._pending(), Invitation.email == email)
        return await self.session.scalar(query) is not None

    async def page(self, sort: str, limit: int, offset: int, after: After | None) -> list[Invitation]:
        query = KEYSET.page(select(Invitation).where(self._pending()), sort, limit, offset, after)
        return list(await self.session.scalars(query))

    async def count(self) -> int:
        return await self.session.scalar(select(func.count()).select_from(Invitation).where(self._pending())) or 0

    def _pending(self) -> ColumnElement[bool]:
        return and_(Invitation.project_id == self.scope.project_id, Invitation.expires_at > func.now())


@dataclass(frozen=True, slots=True)
class InvitationWriter:
    session: AsyncSession
    scope: ExclusiveScope

    async def add(self, id_: UUID, email: str, role: Role, token_hash: bytes, expires_at: datetime) -> Invitation:
        """Add an invitation, replacing an expired one for the same address."""
        await self.session.execute(
            delete(Invitation).where(
                Invitation.project_id == self.scope.project_id,
                Invitation.email == email,
                Invitation.expires_at <= func.now(),
            )
        )
        added = await self.session.scalars(
            insert(Invitation)
            .values(
                project_id=self.scope.project_id, id=id_, email=email, role=role.value, token_hash=token_hash,
                invited_by=str(self.scope.principal), expires_at=expires_at,
            )
            .returning(Invitation)
        )  # fmt: skip
        return added.one()

    async def remove(self, id_: UUID) -> bool:
        removed = await self.session.scalar(
            delete(Invitation)
            .where(Invitation.project_id == self.scope.project_id, Invitation.id == id_)
            .returning(Invitation.id)
        )
        return removed is not None

    async def withdraw(self, invited_by: Principal, roles: Collection[Role]) -> None:
        """Remove the invitations that this person has sent for these roles."""
        await self.session.execute(
            delete(Invitation).where(
                Invitation.project_id == self.scope.project_id,
                Invitation.invited_by == str(invited_by),
                Invitation.role.in_([role.value for role in roles]),
            )
        )
