"""How long until the next attempt, and the jobs that get no further one until an operator says so."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pydantic import JsonValue
from sqlalchemy import func, null, select, update

from partywall.core.db.session import AsyncReadSession, AsyncSession, note_enqueued
from partywall.core.jobs.models import StoredJob

FIRST_DELAY: Final = timedelta(seconds=1)
LONGEST_DELAY: Final = timedelta(minutes=5)


def backoff(attempt: int) -> timedelta:
    """How long to wait after this attempt has failed: doubling, with jitter."""
    delay: timedelta = min(FIRST_DELAY * 2 ** min(attempt - 1, 30), LONGEST_DELAY)
    return delay * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, keeps no secret  # nosec B311


@dataclass(frozen=True, slots=True)
class ParkedJob:
    """A job that failed too often and waits for the operator."""

    job_id: int
    kind: str
    attempts: int
    error: str | None
    parked_at: datetime
    payload: dict[str, JsonValue]


async def parked(session: AsyncReadSession) -> list[ParkedJob]:
    """What waits for the operator, oldest first."""
    rows = await session.scalars(
        select(StoredJob).where(StoredJob.state == "parked").order_by(StoredJob.parked_at, StoredJob.id)
    )
    return [
        ParkedJob(row.id, row.kind, row.attempts, row.error, row.parked_at, row.payload)
        for row in rows
        if row.parked_at is not None
    ]


async def unpark(session: AsyncSession, job_id: int) -> bool:
    """Puts a parked job back on the queue, with all its attempts; False where there is no such job.

    It loses its key: meanwhile another job may have been enqueued under it.
    """
    put_back = await session.scalars(
        update(StoredJob)
        .where(StoredJob.id == job_id, StoredJob.state == "parked")
        .values(state="waiting", due_at=func.now(), attempts=0, error=null(), parked_at=null(), dedupe_key=null())
        .returning(StoredJob.id)
    )
    found = put_back.one_or_none() is not None
    if found:
        note_enqueued(session)
    return found
