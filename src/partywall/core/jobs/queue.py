"""Enqueueing, in the transaction of whatever causes the job: both exist or neither does."""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import func, literal, select
from sqlalchemy.dialects.postgresql import Insert, insert

from partywall.core.db.session import AsyncReadSession, AsyncSession, note_enqueued
from partywall.core.jobs.kinds import JobKind, JobPayload
from partywall.core.jobs.models import NO_PROJECT, ONCE, StoredJob

_NOTHING: Final = timedelta()


async def enqueue[P: JobPayload](
    session: AsyncSession, kind: JobKind[P], payload: P, *, priority: int = 0, after: timedelta | None = None
) -> None:
    """Enqueues in the session's own transaction. `priority` is among the jobs of the same kind and project."""
    await session.execute(_insert(kind, payload, priority=priority, after=after or _NOTHING))
    note_enqueued(session)


async def enqueue_once[P: JobPayload](session: AsyncSession, kind: JobKind[P], payload: P, subject: object) -> None:
    """The same, unless a job of this kind for the same subject is already waiting or at work."""
    statement = _insert(kind, payload, dedupe_key=f"{kind.name}:{subject}")
    await session.execute(statement.on_conflict_do_nothing(index_elements=[StoredJob.dedupe_key], index_where=ONCE))
    note_enqueued(session)


async def is_on_queue(session: AsyncReadSession, job_id: int) -> bool:
    """Whether the job waits or is at work."""
    query = select(literal(1)).where(StoredJob.id == job_id, StoredJob.state != "parked")
    return await session.scalar(query) is not None


def _insert[P: JobPayload](
    kind: JobKind[P],
    payload: P,
    *,
    priority: int = 0,
    after: timedelta = _NOTHING,
    dedupe_key: str | None = None,
) -> Insert:
    body = payload.model_dump(mode="json", exclude_none=True)
    project = body.get("project_id")
    return insert(StoredJob).values(
        kind=kind.name,
        project_id=NO_PROJECT if project is None else UUID(project),
        payload=body,
        priority=priority,
        state="delayed" if after > _NOTHING else "waiting",
        dedupe_key=dedupe_key,
        due_at=func.now() + after,
    )
