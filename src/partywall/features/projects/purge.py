"""Purges projects that are marked as deleted: first rows in batches, then files, cache keys and jobs. Runs in workers.

Every batch is a transaction. The remaining rows are the only state, so a new attempt continues where the last stopped.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog
from redis.exceptions import RedisError
from sqlalchemy import BigInteger, Integer, Uuid, bindparam, func, select

from partywall.core.cache_removal import remove_keys_of
from partywall.core.jobs.context import AnotherAttemptError, JobContext
from partywall.core.jobs.queue import enqueue_once
from partywall.core.jobs.removal import remove_jobs_of
from partywall.core.log_masks import error_fields
from partywall.core.resources import Resources
from partywall.core.storage_errors import WHILE_AWAY, StorageAwayError
from partywall.core.vector_server import VectorServerError
from partywall.features.projects.jobs import PROJECT_DELETED, ProjectDeleted

log = structlog.get_logger(__name__)

ROWS_AT_ONCE: Final = 1_000
BYTES_AT_ONCE: Final = 8 * 1024 * 1024
SWEPT_AT_ONCE: Final = 1_000

_PROJECT: Final = bindparam("project", type_=Uuid)
_PURGE: Final = select(
    func.wall.purge_project(_PROJECT, bindparam("most", type_=Integer), bindparam("bytes", type_=BigInteger))
)
_FORGET: Final = select(func.wall.forget_project(_PROJECT))
_DELETED: Final = select(func.wall.deleted_projects(bindparam("most", type_=Integer)))


async def purge_project(context: JobContext, payload: ProjectDeleted) -> timedelta | None:
    """Purge one project. A project that is not marked as deleted is left alone, whatever the payload says."""
    project_id, resources = payload.project_id, context.resources
    removed = 0
    while (some := await _purge_some(resources, project_id)) != 0:
        if some is None:
            log.error("project_not_deleted", project_id=str(project_id))
            return None
        removed += some
        context.progressed()
        if context.stopping.is_set():
            raise AnotherAttemptError("the worker is stopping")
    try:
        await resources.blobs.delete_project(project_id)
        if resources.vector_server is not None:
            await resources.vector_server.delete_project(project_id)
    except (StorageAwayError, VectorServerError):
        return WHILE_AWAY
    await _remove_keys(resources, project_id)
    await remove_jobs_of(resources.sessions, project_id)
    async with resources.sessions.begin() as session:
        await session.execute(_FORGET, {"project": project_id})
    log.info("project_purged", rows=removed)
    return None


async def sweep_projects(resources: Resources) -> None:
    """Enqueue purges again that were lost or gave up."""
    async with resources.sessions.begin() as session:
        for project_id in list(await session.scalars(_DELETED, {"most": SWEPT_AT_ONCE})):
            await enqueue_once(session, PROJECT_DELETED, ProjectDeleted(project_id=project_id), project_id)


async def _purge_some(resources: Resources, project_id: UUID) -> int | None:
    async with resources.sessions.begin() as session:
        values = {"project": project_id, "most": ROWS_AT_ONCE, "bytes": BYTES_AT_ONCE}
        removed: int | None = await session.scalar(_PURGE, values)
        return removed


async def _remove_keys(resources: Resources, project_id: UUID) -> None:
    try:
        await remove_keys_of(resources.cache, project_id)
    except (RedisError, OSError) as error:  # the keys expire anyway
        log.warning("keys_not_removed", **error_fields(error))
