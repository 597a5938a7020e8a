"""Deletes the blobs of deleted documents, and blobs that no document ever referred to."""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog

from partywall.core.clock import utc_now
from partywall.core.db.scopes import open_scope
from partywall.core.jobs.context import JobContext
from partywall.core.resources import Resources
from partywall.core.tenancy import Principal, ProjectNotFoundError
from partywall.features.documents.jobs import ReleaseBlobs
from partywall.features.documents.repository import DocumentRepository

log = structlog.get_logger(__name__)

# After this time, no upload in progress can still refer to a stored blob.
UNCLAIMED_FOR: Final = timedelta(hours=24)


async def release_blobs(context: JobContext, payload: ReleaseBlobs) -> None:
    try:
        async with context.read(payload) as (session, scope):
            used = await DocumentRepository(session, scope).used(payload.keys)
    except ProjectNotFoundError:
        return  # the project's purge deletes all its blobs
    for key in payload.keys:
        if key not in used:
            await context.resources.blobs.delete(scope, key)


async def sweep_blobs(resources: Resources) -> None:
    """Delete the files of uploads that produced no document, and those of projects that are gone."""
    removed = 0
    async for project_id, keys in resources.blobs.stored_before(utc_now() - UNCLAIMED_FOR):
        removed += await _sweep(resources, project_id, keys)
    if removed:
        log.info("unclaimed_blobs_removed", blobs=removed)


async def _sweep(resources: Resources, project_id: UUID, keys: list[str]) -> int:
    try:
        async with resources.sessions.read() as session:
            scope = await open_scope(session, Principal.service(project_id), project_id)
            used = await DocumentRepository(session, scope).used(keys) if keys else set[str]()
    except ProjectNotFoundError:
        await resources.blobs.delete_project(project_id)
        return len(keys)
    unclaimed = [key for key in keys if key not in used]
    for key in unclaimed:
        await resources.blobs.delete(scope, key)
    return len(unclaimed)
