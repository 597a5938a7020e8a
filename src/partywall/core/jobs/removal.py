"""Removes the jobs of deleted projects."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from sqlalchemy import text

from partywall.core.db.batched_delete import prune
from partywall.core.db.session import Sessions

_MOST: Final = 1_000
# A running job is left to its worker, which has no access to the project any more.
_REMOVE: Final = text("""
    WITH removed AS (
        DELETE FROM job WHERE id = ANY (ARRAY(
            SELECT id FROM job WHERE project_id = :project AND state <> 'running' LIMIT :most FOR UPDATE SKIP LOCKED
        )) RETURNING 1
    )
    SELECT count(*) FROM removed
""")


async def remove_jobs_of(sessions: Sessions, project_id: UUID) -> int:
    """Removes the project's jobs, including dead letters. Returns their number."""
    return await prune(sessions, _REMOVE, {"project": project_id, "most": _MOST})
