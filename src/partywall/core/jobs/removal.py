"""What the queue still holds of a project that has been deleted."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from sqlalchemy import text

from partywall.core.db.pruning import prune
from partywall.core.db.session import Sessions

_MOST: Final = 1_000
# A payload names its project as text. A job in hand is left to its worker, which can no longer enter the project.
_QUEUED: Final = text("""
    WITH removed AS (
        DELETE FROM pgqueuer WHERE id = ANY (ARRAY(
            SELECT id FROM pgqueuer WHERE status = 'queued' AND position(CAST(:project AS bytea) IN payload) > 0
            LIMIT :most FOR UPDATE SKIP LOCKED
        )) RETURNING id
    )
    SELECT count(*) FROM removed
""")
_ATTEMPTS: Final = text("""
    WITH removed AS (
        DELETE FROM job_attempt WHERE job_id = ANY (ARRAY(
            SELECT job_id FROM job_attempt WHERE payload->>'project_id' = :project LIMIT :most FOR UPDATE SKIP LOCKED
        )) RETURNING 1
    )
    SELECT count(*) FROM removed
""")


async def remove_jobs_of(sessions: Sessions, project_id: UUID) -> int:
    """Takes its jobs off the queue, and out of the dead letters; answers how many there were."""
    named = str(project_id)
    queued = await prune(sessions, _QUEUED, {"project": named.encode(), "most": _MOST})
    return queued + await prune(sessions, _ATTEMPTS, {"project": named, "most": _MOST})
