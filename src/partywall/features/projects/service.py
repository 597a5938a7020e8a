from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from uuid import UUID

from partywall.core.db.scopes import open_scope
from partywall.core.db.session import AsyncReadSession, AsyncSession
from partywall.core.events.log import EventDraft, notify_readers, publish
from partywall.core.jobs.queue import enqueue_once
from partywall.core.page_request import PageRequest
from partywall.core.pagination import Cursors
from partywall.core.schemas import Page
from partywall.core.tenancy import Principal, ProjectScope, Role
from partywall.features.accounts.exceptions import AccountGoneError
from partywall.features.projects.exceptions import ProjectNotFoundError
from partywall.features.projects.jobs import PROJECT_DELETED, ProjectDeleted
from partywall.features.projects.member_repository import accept_project
from partywall.features.projects.models import Project as ProjectRow
from partywall.features.projects.repository import KEYSET, ListedRow, ProjectDirectory, ProjectRepository, ProjectWriter
from partywall.features.projects.rights import Right, require
from partywall.features.projects.schemas import Project, ProjectPatch, ProjectQuery


@dataclass(frozen=True, slots=True)
class Versioned:
    """A project, and the revision in its entity tag."""

    project: Project
    revision: int


def _present(row: ProjectRow, role: Role) -> Project:
    return Project(
        id=row.id, name=row.name, description=row.description, role=role,
        created_at=row.created_at, updated_at=row.updated_at,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class ProjectDirectoryService:
    """What a user may do before a project scope exists."""

    session: AsyncSession
    principal: Principal

    async def create(self, name: str, description: str | None) -> Versioned:
        made = await ProjectDirectory(self.session).found(name, description)
        if made is None:
            raise AccountGoneError
        scope = await open_scope(self.session, self.principal, made)
        row = await ProjectRepository(self.session, scope).get()
        publish(self.session, scope, EventDraft("project.created", "project", str(made)))
        return Versioned(_present(row, scope.role), row.revision)


async def list_projects(
    session: AsyncReadSession, principal: Principal, query: ProjectQuery, cursors: Cursors
) -> Page[Project]:
    wanted = PageRequest(query, cursors, KEYSET, ("projects", principal))
    directory = ProjectDirectory(session)
    return await wanted.page(directory.page, directory.count, _listed, partial(_position, query.sort))


def _listed(found: ListedRow) -> Project:
    row, role = found
    return _present(row, Role(role))


def _position(sort: str, project: Project) -> tuple[datetime | str, UUID]:
    match sort.removeprefix("-"):
        case "title":
            return project.name, project.id
        case "updated_at":
            return project.updated_at, project.id
        case _:
            return project.created_at, project.id


async def get_project(session: AsyncReadSession, scope: ProjectScope) -> Versioned:
    require(scope, Right.PROJECT_READ)
    row = await ProjectRepository(session, scope).get()
    return Versioned(_present(row, scope.role), row.revision)


@dataclass(frozen=True, slots=True)
class ProjectService:
    """Changes and deletes the project itself."""

    session: AsyncSession
    scope: ProjectScope

    async def revision(self, right: Right) -> int:
        """Lock the project for a change that needs `right`, and return its revision.

        The right is checked again under the lock: the caller may have lost it during the wait. Raises
        ProjectNotFoundError, MissingRightError or ProjectBusyError.
        """
        require(self.scope, right)
        row = await ProjectRepository(self.session, self.scope).lock(to_delete=right is Right.PROJECT_DELETE)
        if row is None:
            raise ProjectNotFoundError
        require(await open_scope(self.session, self.scope.principal, self.scope.project_id), right)
        return row.revision

    async def change(self, patch: ProjectPatch) -> Versioned:
        """Call `revision` first, which locks the project."""
        require(self.scope, Right.PROJECT_UPDATE)
        given = patch.model_fields_set
        if given:
            await accept_project(self.session, self.scope)
            row = await ProjectRepository(self.session, self.scope).get()
            await ProjectWriter(self.session, self.scope).describe(
                patch.name if "name" in given else row.name,
                patch.description if "description" in given else row.description,
            )
            self.session.expire_all()
            event_draft = EventDraft(
                "project.updated", "project", str(self.scope.project_id), {"fields": [*sorted(given)]}
            )
            publish(self.session, self.scope, event_draft)
        return await get_project(self.session, self.scope)

    async def delete(self) -> None:
        """Delete the project at once. A job purges its data. Call `revision` first."""
        require(self.scope, Right.PROJECT_DELETE)
        if not await ProjectWriter(self.session, self.scope).delete():
            raise ProjectNotFoundError
        gone = ProjectDeleted(project_id=self.scope.project_id)
        await enqueue_once(self.session, PROJECT_DELETED, gone, self.scope.project_id)
        # Wakes the project's streams, which then find the project gone and end.
        notify_readers(self.session, self.scope)
