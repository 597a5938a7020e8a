"""What follows a deletion outside the database."""

from __future__ import annotations

from partywall.core.jobs.context import JobContext
from partywall.core.tenancy import ProjectNotFoundError
from partywall.features.documents.jobs import ReleaseBlobs
from partywall.features.documents.repository import DocumentRepository
from partywall.features.projects.jobs import ProjectDeleted


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
    await context.resources.blobs.delete_project(payload.project_id)
