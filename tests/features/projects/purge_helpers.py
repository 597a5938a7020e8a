"""Purges a project, and counts its rows."""

from __future__ import annotations

from uuid import UUID, uuid4

from partywall.core.jobs.context import JobContext
from partywall.core.resources import Resources
from partywall.features.projects.jobs import ProjectDeleted
from partywall.features.projects.purge import purge_project
from partywall.testing.users import Users

DOCUMENT = {"title": "Lease", "content": "The tenant pays."}


async def purge(resources: Resources, project: UUID, most: int, size: int = 1 << 30) -> int | None:
    async with resources.reads.acquire() as connection:
        removed: int | None = await connection.fetchval("SELECT wall.purge_project($1, $2, $3)", project, most, size)
        return removed


async def purged(resources: Resources, project: UUID) -> None:
    context = JobContext(resources, uuid4(), job_id=1, attempt=2, last=False)
    await purge_project(context, ProjectDeleted(project_id=project))


TABLES = ("document", "document_text", "document_version", "event", "idempotency_key", "run", "chunk", "posting")


async def rows(users: Users, project: UUID, *tables: str) -> int:
    counts = [
        await users.fetch(f"SELECT count(*) FROM {name} WHERE project_id = $1", project)  # noqa: S608 - constants
        for name in tables or TABLES
    ]
    return sum(int(count) for [[count]] in counts)
