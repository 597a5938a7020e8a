"""Jobs run here and now, with the lease that a worker would hold, so that a test sees what one job does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from uuid import UUID, uuid4

from partywall.core.jobs.context import JobContext
from partywall.core.jobs.kinds import JobHandler, JobPayload
from partywall.core.resources import Resources
from partywall.features.documents.jobs import INDEX_DOCUMENTS, IndexDocuments
from partywall.features.work import WORK
from tests.people import People

HANDLERS: Final[Mapping[str, JobHandler]] = {handler.kind.name: handler for work in WORK for handler in work.jobs}


async def run_job(people: People, resources: Resources, kind: str, payload: JobPayload) -> None:
    """Raises what the handler raises."""
    lease = uuid4()
    [row] = await people.fetch(
        "INSERT INTO job (kind, payload, state, lease, heartbeat_at)"
        " VALUES ($1, $2, 'running', $3, now()) RETURNING id",
        kind,
        payload.model_dump_json(),
        lease,
    )
    try:
        await HANDLERS[kind].run(JobContext(resources, lease, row["id"], attempt=1, last=False), payload)
    finally:
        await people.execute("DELETE FROM job WHERE id = $1", row["id"])


async def index(people: People, resources: Resources, project: UUID, *documents: UUID) -> None:
    payload = IndexDocuments(project_id=project, principal=f"service:{project}", documents=list(documents))
    await run_job(people, resources, INDEX_DOCUMENTS.name, payload)
