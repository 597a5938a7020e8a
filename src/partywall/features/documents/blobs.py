"""Deletes the blobs of deleted documents, and blobs that no document ever referred to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog

from partywall.core.blobs import BlobStore
from partywall.core.clock import utc_now
from partywall.core.db.scopes import open_scope
from partywall.core.db.session import Sessions
from partywall.core.jobs.context import JobContext
from partywall.core.resources import Resources
from partywall.core.storage_errors import WHILE_AWAY, StorageAwayError
from partywall.core.tenancy import Principal, ProjectNotFoundError
from partywall.features.documents.jobs import ReleaseBlobs
from partywall.features.documents.repository import DocumentRepository

log = structlog.get_logger(__name__)

# After this time, no upload in progress can still refer to a stored blob.
UNCLAIMED_FOR: Final = timedelta(hours=24)


async def release_blobs(context: JobContext, payload: ReleaseBlobs) -> timedelta | None:
    try:
        async with context.read(payload) as (session, scope):
            used = await DocumentRepository(session, scope).used(payload.keys)
    except ProjectNotFoundError:
        return None  # the project's purge deletes all its blobs
    try:
        await context.resources.blobs.delete(scope, *(key for key in payload.keys if key not in used))
    except StorageAwayError:
        return WHILE_AWAY
    return None


@dataclass(frozen=True, slots=True)
class Swept:
    """Blobs that no document refers to, and unfinished uploads."""

    blobs: int
    unfinished: int


async def sweep_blobs(resources: Resources) -> None:
    """Delete the files of uploads that produced no document, and those of projects that are gone."""
    swept = await sweep(resources.blobs, resources.sessions, UNCLAIMED_FOR)
    if swept.blobs or swept.unfinished:
        log.info("unclaimed_blobs_removed", blobs=swept.blobs, unfinished=swept.unfinished)


async def sweep(blobs: BlobStore, sessions: Sessions, older_than: timedelta, *, dry_run: bool = False) -> Swept:
    """What is younger may belong to an upload in progress. With `dry_run`, only counts."""
    before, removed = utc_now() - older_than, 0
    async for project_id, keys in blobs.stored_before(before):
        removed += await _sweep(blobs, sessions, project_id, keys, dry_run=dry_run)
    return Swept(removed, 0 if dry_run else await blobs.remove_unfinished(before))


async def _sweep(blobs: BlobStore, sessions: Sessions, project_id: UUID, keys: list[str], *, dry_run: bool) -> int:
    try:
        async with sessions.read() as session:
            scope = await open_scope(session, Principal.service(project_id), project_id)
            used = await DocumentRepository(session, scope).used(keys) if keys else set[str]()
    except ProjectNotFoundError:
        if not dry_run:
            await blobs.delete_project(project_id)
        return len(keys)
    unclaimed = [key for key in keys if key not in used]
    if not dry_run:
        await blobs.delete(scope, *unclaimed)
    return len(unclaimed)
