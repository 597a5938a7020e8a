"""Runs jobs and indexing at once, with a worker's lease, so that a test sees the effect of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from uuid import UUID, uuid4

from partywall.core.jobs.context import JobContext
from partywall.core.jobs.kinds import JobHandler
from partywall.core.jobs.payloads import JobPayload
from partywall.core.resources import Resources
from partywall.features.documents.index_queue import DueProject, WorkKind, take
from partywall.features.registry import FEATURES
from partywall.features.search.document_indexer import DocumentIndexer
from partywall.features.search.indexing_lease import LASTING, IndexingLease
from partywall.features.search.passage_vectors import PassageVectors
from partywall.testing.users import Users

HANDLERS: Final[Mapping[str, JobHandler]] = {
    handler.kind.name: handler for feature in FEATURES for handler in feature.jobs
}


async def run_job(
    users: Users, resources: Resources, kind: str, payload: JobPayload, *, gives_up: bool = False
) -> None:
    """Raises what the handler raises. `gives_up`: as after the last attempt."""
    handler, lease = HANDLERS[kind], uuid4()
    run = handler.give_up if gives_up else handler.run
    assert run is not None
    [row] = await users.fetch(
        "INSERT INTO job (kind, payload, state, lease, heartbeat_at)"
        " VALUES ($1, $2, 'running', $3, now()) RETURNING id",
        kind,
        payload.model_dump_json(),
        lease,
    )
    try:
        await run(JobContext(resources, lease, row["id"], attempt=1, last=False), payload)
    finally:
        await users.execute("DELETE FROM job WHERE id = $1", row["id"])


async def index(users: Users, resources: Resources, project: UUID, *documents: UUID) -> None:
    """Indexes these documents and everything else in the project that is waiting."""
    await users.execute(
        "UPDATE document SET index_status = 'pending', index_error = NULL WHERE project_id = $1 AND id = ANY ($2)",
        project, list(documents),
    )  # fmt: skip
    for kind in (WorkKind.SMALL, WorkKind.LARGE):
        await index_once(resources, project, kind)


async def index_once(resources: Resources, project: UUID, kind: WorkKind, lease: UUID | None = None) -> list[UUID]:
    """Indexes one batch; returns its documents."""
    held = IndexingLease(resources, PassageVectors(resources.embedders), project, lease or uuid4())
    taken = await take(
        resources.reads, DueProject(project, kind, project), held.id, LASTING, most=100, most_bytes=2**20
    )
    await DocumentIndexer(held, kind).index(taken)
    return [each.id for each in taken]
