"""Backoff between attempts, and dead letters: jobs that only an operator can retry."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pydantic import JsonValue
from sqlalchemy import select, text

from partywall.core.backoff import grown, jittered
from partywall.core.db.session import AsyncReadSession, AsyncSession, note_enqueued
from partywall.core.jobs.models import StoredJob

FIRST_DELAY: Final = timedelta(seconds=1)
LONGEST_DELAY: Final = timedelta(minutes=5)


def backoff(attempt: int) -> timedelta:
    """The pause after this failed attempt: doubling, with jitter."""
    return jittered(grown(FIRST_DELAY, attempt, LONGEST_DELAY))


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A job that failed too often and waits for an operator."""

    job_id: int
    kind: str
    attempts: int
    error: str | None
    dead_letter_at: datetime
    payload: dict[str, JsonValue]


async def list_dead_letters(session: AsyncReadSession) -> list[DeadLetter]:
    """All dead letters, oldest first."""
    rows = await session.scalars(
        select(StoredJob).where(StoredJob.state == "dead_letter").order_by(StoredJob.dead_letter_at, StoredJob.id)
    )
    return [
        DeadLetter(row.id, row.kind, row.attempts, row.error, row.dead_letter_at, row.payload)
        for row in rows
        if row.dead_letter_at is not None
    ]


# A new job replaces the old one, unless another has been enqueued for its subject meanwhile.
_RETRY_DEAD_LETTER: Final = text("""
    WITH dead AS (DELETE FROM job WHERE id = :job AND state = 'dead_letter' RETURNING *), requeue AS (
        INSERT INTO job (id, kind, project_id, payload, priority, dedupe_key, created_at)
        SELECT id, kind, project_id, payload, priority, dedupe_key, created_at FROM dead
        ON CONFLICT (dedupe_key) WHERE state <> 'dead_letter' AND dedupe_key IS NOT NULL DO NOTHING
    )
    SELECT id FROM dead
""")


async def retry_dead_letter(session: AsyncSession, job_id: int) -> bool:
    """Requeues a dead letter with all attempts available again. Returns False if there is no such job.

    If another job has been enqueued for its subject meanwhile, the dead letter is only deleted.
    """
    if await session.scalar(_RETRY_DEAD_LETTER, {"job": job_id}) is None:
        return False
    note_enqueued(session)
    return True
