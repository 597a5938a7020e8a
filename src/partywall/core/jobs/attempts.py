"""How often a job was begun. A crash counts, because the count is raised before the work starts."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import Uuid, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from partywall.core.db.session import AsyncReadSession, AsyncSession
from partywall.core.jobs.models import JobAttempt

FIRST_DELAY: Final = timedelta(seconds=1)
LONGEST_DELAY: Final = timedelta(minutes=5)
_ACCOUNT: Final = func.wall.owner_account(JobAttempt.payload["project_id"].astext.cast(Uuid))


def backoff(attempt: int) -> timedelta:
    """How long to wait after this attempt has failed: doubling, with jitter."""
    delay: timedelta = min(FIRST_DELAY * 2 ** (attempt - 1), LONGEST_DELAY)
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


class Attempt(NamedTuple):
    """`number` counts from 1; `account` is whose share the job takes: that of its project, where it has one."""

    number: int
    account: UUID | None


async def begin_attempt(session: AsyncSession, job_id: int, kind: str, payload: dict[str, JsonValue]) -> Attempt:
    """Counts one more attempt."""
    counted = insert(JobAttempt).values(job_id=job_id, kind=kind, attempts=1, payload=payload)
    begun = await session.execute(
        counted.on_conflict_do_update(
            index_elements=[JobAttempt.job_id],
            set_={"attempts": JobAttempt.attempts + 1, "updated_at": func.now()},
        ).returning(JobAttempt.attempts, _ACCOUNT)
    )
    return Attempt(*begun.one())


async def forget(session: AsyncSession, job_id: int) -> None:
    await session.execute(delete(JobAttempt).where(JobAttempt.job_id == job_id))


async def park(session: AsyncSession, job_id: int, error: str) -> None:
    await session.execute(
        update(JobAttempt)
        .where(JobAttempt.job_id == job_id)
        .values(parked_at=func.now(), updated_at=func.now(), error=error[:2000])
    )


async def parked(session: AsyncReadSession) -> list[ParkedJob]:
    """What waits for the operator, oldest first."""
    rows = await session.scalars(
        select(JobAttempt).where(JobAttempt.parked_at.is_not(None)).order_by(JobAttempt.parked_at)
    )
    return [
        ParkedJob(row.job_id, row.kind, row.attempts, row.error, row.parked_at, row.payload)
        for row in rows
        if row.parked_at is not None
    ]


async def unpark(session: AsyncSession, job_id: int) -> ParkedJob | None:
    """Takes a job out of the parking place, for the caller to enqueue again; None where there is no such job."""
    row = await session.get(JobAttempt, job_id, with_for_update=True)
    if row is None or row.parked_at is None:
        return None
    await forget(session, job_id)
    return ParkedJob(row.job_id, row.kind, row.attempts, row.error, row.parked_at, row.payload)
