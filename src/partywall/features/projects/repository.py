from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import Row, TableValuedAlias, Text, Uuid, bindparam, column, func, select, update
from sqlalchemy.exc import DBAPIError

from partywall.core.db.keyset import After, Keyset
from partywall.core.db.locks import limit_lock_wait, was_lock_timeout
from partywall.core.db.scopes import open_exclusive_scope
from partywall.core.db.session import AsyncReadSession, AsyncSession
from partywall.core.tenancy import ExclusiveScope, ProjectScope, UnlockedScope
from partywall.features.projects.exceptions import ProjectBusyError
from partywall.features.projects.models import Project

KEYSET: Final = Keyset(
    {"created_at": Project.created_at, "updated_at": Project.updated_at, "title": Project.name}, Project.id
)
# How long a project's deletion waits for writers.
MAX_WAIT: Final = timedelta(seconds=5)
_DELETE: Final = select(func.wall.delete_project(bindparam("project", type_=Uuid)))
_FOUND: Final = select(
    func.wall.found_project(*(bindparam(name, type_=Text) for name in ("name", "description", "language")))
)

# The bound principal's projects: all of a person's, or the one of a key.
_MEMBERSHIP: Final[TableValuedAlias] = func.wall.memberships().table_valued(
    column("project_id", Uuid), column("role", Text), name="membership"
)

# A project and the bound principal's role in it.
type ListedRow = Row[Project, str]


@dataclass(frozen=True, slots=True)
class ProjectDirectory:
    """The projects of the bound principal. No scope exists yet."""

    session: AsyncReadSession

    async def found(self, name: str, description: str | None, language: str | None) -> UUID | None:
        """Create a project owned by the bound user. None if the account is disabled or erased."""
        values = {"name": name, "description": description, "language": language}
        made: UUID | None = await self.session.scalar(_FOUND, values)
        return made

    async def page(self, sort: str, limit: int, offset: int, after: After | None) -> list[ListedRow]:
        query = select(Project, _MEMBERSHIP.c.role).join(_MEMBERSHIP, _MEMBERSHIP.c.project_id == Project.id)
        return list((await self.session.execute(KEYSET.page(query, sort, limit, offset, after))).all())

    async def count(self) -> int:
        return await self.session.scalar(select(func.count()).select_from(_MEMBERSHIP)) or 0


@dataclass(frozen=True, slots=True)
class ProjectRepository:
    session: AsyncReadSession
    scope: ProjectScope

    async def get(self) -> Project:
        found = await self.session.scalars(select(Project).where(Project.id == self.scope.project_id))
        return found.one()


async def lock_to_delete(session: AsyncSession, opened: UnlockedScope) -> ExclusiveScope:
    """Waits up to MAX_WAIT for writers, then raises ProjectBusyError."""
    await limit_lock_wait(session, MAX_WAIT)
    try:
        return await open_exclusive_scope(session, opened, ends_project=True)
    except DBAPIError as error:
        if was_lock_timeout(error):
            raise ProjectBusyError from error
        raise


@dataclass(frozen=True, slots=True)
class ProjectWriter:
    session: AsyncSession
    scope: ExclusiveScope

    async def describe(self, name: str, description: str | None, language: str | None) -> Project:
        """The changed project."""
        changed = await self.session.scalars(
            update(Project)
            .where(Project.id == self.scope.project_id)
            .values(
                name=name, description=description, language=language,
                revision=Project.revision + 1, updated_at=func.now(),
            )
            .returning(Project)
            .execution_options(populate_existing=True)
        )  # fmt: skip
        return changed.one()

    async def delete(self) -> bool:
        """Mark the project as deleted, so that nobody can open it after the commit. False if the database refuses."""
        return bool(await self.session.scalar(_DELETE, {"project": self.scope.project_id}))
