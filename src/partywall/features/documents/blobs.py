"""What follows a deletion outside the database."""

from __future__ import annotations

import structlog

from partywall.core.jobs.context import JobContext
from partywall.core.tenancy import Principal, ProjectNotFoundError, enter_project
from partywall.features.documents.jobs import ReleaseBlobs
from partywall.features.documents.repository import DocumentRepository
from partywall.features.projects.jobs import ProjectDeleted

log = structlog.get_logger(__name__)


async def release_blobs(context: JobContext, payload: ReleaseBlobs) -> None:
    try:
        async with context.read(payload) as (session, scope):
            used = await DocumentRepository(session, scope).used(payload.keys)
    except ProjectNotFoundError:
        return  # the project's end takes all of its blobs
    for key in payload.keys:
        if key not in used:
            await context.resources.blobs.delete(scope, key)


async def delete_project_blobs(context: JobContext, payload: ProjectDeleted) -> None:
    """Only of a project that is gone: whatever a payload says, nothing is taken from one that is there."""
    try:
        async with context.resources.sessions.read() as session:
            await enter_project(session, Principal.service(payload.project_id), payload.project_id)
    except ProjectNotFoundError:
        await context.resources.blobs.delete_project(payload.project_id)
    else:
        log.error("project_not_deleted", project_id=str(payload.project_id))
