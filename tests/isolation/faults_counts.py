"""Planted faults that reveal no data of another project, only how much there is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI
from sqlalchemy import SQLColumnExpression, func, select
from sqlalchemy.sql.elements import ColumnElement

from partywall.core.http.dependencies import ReadProjectScopeDep, require_principal
from partywall.features.api_keys.models import ApiKey
from partywall.features.api_keys.repository import ApiKeyRepository
from partywall.features.documents import list_repository, reader_repository
from partywall.features.documents.filters.matches import Matching
from partywall.features.documents.list_repository import Listing
from partywall.features.documents.models import Document
from partywall.features.projects.invitation_repository import InvitationRepository
from partywall.features.projects.member_repository import MemberRepository
from partywall.features.projects.models import Invitation, Project, ProjectMember
from partywall.features.projects.repository import ProjectDirectory
from tests.isolation.faults import AttackedApp, patched, without_filter

type Total = SQLColumnExpression[object]


@asynccontextmanager
async def keys_counted_over_all_projects(at: AttackedApp) -> AsyncIterator[FastAPI]:
    async def count(repository: ApiKeyRepository) -> int:
        return await repository.session.scalar(select(func.count()).select_from(ApiKey)) or 0

    async with at.without_policies("api_key"):
        with patched((ApiKeyRepository, "count", count)):
            yield at.app


@asynccontextmanager
async def members_counted_over_all_projects(at: AttackedApp) -> AsyncIterator[FastAPI]:
    async def count(repository: MemberRepository) -> int:
        return await repository.session.scalar(select(func.count()).select_from(ProjectMember)) or 0

    async with at.without_policies("project_member"):
        with patched((MemberRepository, "count", count)):
            yield at.app


@asynccontextmanager
async def invitations_counted_over_all_projects(at: AttackedApp) -> AsyncIterator[FastAPI]:
    async def count(repository: InvitationRepository) -> int:
        return await repository.session.scalar(select(func.count()).select_from(Invitation)) or 0

    async with at.without_policies("invitation"):
        with patched((InvitationRepository, "count", count)):
            yield at.app


@asynccontextmanager
async def projects_counted_in_the_whole_deployment(at: AttackedApp) -> AsyncIterator[FastAPI]:
    async def count(directory: ProjectDirectory) -> int:
        return await directory.session.scalar(select(func.count()).select_from(Project)) or 0

    async with at.without_policies("project"):
        with patched((ProjectDirectory, "count", count)):
            yield at.app


@asynccontextmanager
async def documents_found_by_a_filter_counted_over_all_projects(at: AttackedApp) -> AsyncIterator[FastAPI]:
    """The page is HOME's; only its total counts all projects, and only with a filter."""
    total = list_repository._total

    def forgetful(listing: Listing, matching: Matching | None, allowed: ColumnElement[bool]) -> Total:
        if not (listing.counts and listing.filters):
            return total(listing, matching, allowed)
        _, *filters = list_repository._conditions(listing, matching)
        return select(func.count()).select_from(Document).where(*filters).scalar_subquery()

    async with at.without_policies("document"):
        list_repository.page_of.cache_clear()
        with patched((list_repository, "_total", forgetful)):
            yield at.app
        list_repository.page_of.cache_clear()


@asynccontextmanager
async def statistics_of_all_documents(at: AttackedApp) -> AsyncIterator[FastAPI]:
    async with at.without_policies("document"):
        with patched((reader_repository, "STATS", without_filter(reader_repository.STATS))):
            yield at.app


@asynccontextmanager
async def a_new_route_that_tells_how_busy_the_deployment_is(at: AttackedApp) -> AsyncIterator[FastAPI]:
    """Requires authentication and the caller's own project; the suite has no entry for it."""

    async def glance(scope: ReadProjectScopeDep) -> dict[str, str]:
        waiting = await at.world.superuser.value("SELECT count(*) FROM document WHERE index_status = 'pending'")
        return {"project_id": str(scope.project_id), "load": "high" if int(str(waiting)) > 10 else "low"}

    routes, schema = list(at.app.router.routes), at.app.openapi_schema
    at.app.openapi_schema = None
    at.app.add_api_route(
        "/api/v1/projects/{project_id}/glance", glance, operation_id="glance", dependencies=[Depends(require_principal)]
    )
    try:
        yield at.app
    finally:
        at.app.router.routes[:] = routes
        at.app.openapi_schema = schema
