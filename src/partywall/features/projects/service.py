from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from uuid import UUID

from partywall.core.db.scopes import open_exclusive_scope, open_shared_scope
from partywall.core.db.session import AsyncReadSession, AsyncSession
from partywall.core.events.log import EventDraft, notify_readers, publish
from partywall.core.jobs.queue import enqueue_once
from partywall.core.page_request import PageRequest
from partywall.core.pagination import Cursors
from partywall.core.preconditions import require_match
from partywall.core.rights import require
from partywall.core.schemas import Page
from partywall.core.tenancy import ExclusiveScope, Principal, ProjectScope, Role, UnlockedScope
from partywall.features.accounts.exceptions import AccountGoneError
from partywall.features.projects.exceptions import ProjectNotFoundError
from partywall.features.projects.jobs import (
    PROJECT_DELETED,
    PROJECT_LANGUAGE_CHANGED,
    ProjectDeleted,
    ProjectLanguageChanged,
)
from partywall.features.projects.member_repository import accept_project
from partywall.features.projects.models import Project as ProjectRow
from partywall.features.projects.repository import (
    KEYSET,
    ListedRow,
    ProjectDirectory,
    ProjectRepository,
    ProjectWriter,
    lock_to_delete,
)
from partywall.features.projects.rights import PROJECT_DELETE, PROJECT_READ, PROJECT_UPDATE
from partywall.features.projects.schemas import Project, ProjectCreate, ProjectPatch, ProjectQuery


@dataclass(frozen=True, slots=True)
class Versioned:
    """A project, and the revision in its entity tag."""

    project: Project
    revision: int


def _present(row: ProjectRow, role: Role) -> Project:
    return Project(
        id=row.id, name=row.name, description=row.description, language=row.language, role=role,
        created_at=row.created_at, updated_at=row.updated_at,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class ProjectDirectoryService:
    """What a user may do before a project scope exists."""

    session: AsyncSession
    principal: Principal

    async def create(self, wanted: ProjectCreate) -> Versioned:
        made = await ProjectDirectory(self.session).found(wanted.name, wanted.description, wanted.language)
        if made is None:
            raise AccountGoneError
        scope = await open_shared_scope(self.session, self.principal, made)
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
    require(scope, PROJECT_READ)
    row = await ProjectRepository(session, scope).get()
    return Versioned(_present(row, scope.role), row.revision)


@dataclass(frozen=True, slots=True)
class ProjectService:
    """Changes and deletes the project itself."""

    session: AsyncSession
    scope: UnlockedScope

    async def update(self, patch: ProjectPatch, if_match: str | None = None) -> Versioned:
        """Raises PreconditionFailedError unless `if_match` names the revision; that rolls the change back.

        The right is checked again under the lock: the caller may have lost it during the wait.
        """
        require(self.scope, PROJECT_UPDATE)
        scope = await open_exclusive_scope(self.session, self.scope)
        require(scope, PROJECT_UPDATE)
        given, before = patch.model_fields_set, await ProjectRepository(self.session, scope).get()
        require_match(if_match, before.revision)
        if not given:
            return Versioned(_present(before, scope.role), before.revision)
        former = before.language
        row = await ProjectWriter(self.session, scope).describe(
            patch.name if "name" in given else before.name,
            patch.description if "description" in given else before.description,
            patch.language if "language" in given else former,
        )
        if row.language != former:
            await self._apply_language(scope)
        await accept_project(self.session, scope)
        publish(
            self.session,
            scope,
            EventDraft("project.updated", "project", str(scope.project_id), {"fields": [*sorted(given)]}),
        )
        return Versioned(_present(row, scope.role), row.revision)

    async def _apply_language(self, scope: ExclusiveScope) -> None:
        project_id = scope.project_id
        changed = ProjectLanguageChanged(project_id=project_id, principal=str(Principal.service(project_id)))
        await enqueue_once(self.session, PROJECT_LANGUAGE_CHANGED, changed, project_id)

    async def delete(self, if_match: str | None = None) -> None:
        """Delete the project at once; a job purges its data. Raises ProjectBusyError."""
        require(self.scope, PROJECT_DELETE)
        scope = await lock_to_delete(self.session, self.scope)
        require(scope, PROJECT_DELETE)
        require_match(if_match, (await ProjectRepository(self.session, scope).get()).revision)
        if not await ProjectWriter(self.session, scope).delete():
            raise ProjectNotFoundError
        gone = ProjectDeleted(project_id=scope.project_id)
        await enqueue_once(self.session, PROJECT_DELETED, gone, scope.project_id)
        # The project's streams then find it gone, and end.
        notify_readers(self.session, scope)
