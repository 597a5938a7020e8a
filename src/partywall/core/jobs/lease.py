"""The fence of a job's lease: an attempt that another worker has taken over writes nothing.

Claiming, renewing and settling are in `sql/claiming.sql` and `sql/settling.sql`, called by `store.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import text

from partywall.core.db.scoped_query import ScopedQuery, Value
from partywall.core.db.session import AsyncSession

# Frequent, hence in one round trip: it opens the scope, checks the lease and appends, in this order.
RECORD_EVENT: Final = ScopedQuery.text("""
    WITH opened AS MATERIALIZED (SELECT wall.open_shared_scope(:principal, :project_id) AS wall_role),
    own_job AS MATERIALIZED (
        SELECT job.id FROM job, opened
        WHERE job.id = :job AND job.lease = :lease AND opened.wall_role IS NOT NULL FOR SHARE OF job
    )
    SELECT opened.wall_role, true AS owns_lease,
        wall.append_events(:project_id, :principal, CAST(:events AS jsonb)) AS wall_appended
    FROM opened, own_job
    UNION ALL
    SELECT opened.wall_role, false, NULL FROM opened WHERE NOT EXISTS (SELECT FROM own_job)
""")
_OWNS_LEASE: Final = text("SELECT lease = :lease FROM job WHERE id = :job FOR SHARE")


class LeaseLostError(Exception):
    """Another worker has taken over the job; this attempt's transaction is rolled back."""


@dataclass(frozen=True, slots=True)
class JobLease:
    """An attempt's claim on a job; `id` is new for each attempt."""

    job_id: int
    id: UUID

    async def require(self, session: AsyncSession) -> None:
        """Before a commit: no other worker can take the job over until the transaction has ended."""
        if not await session.scalar(_OWNS_LEASE, self.parameters):
            raise self.lost()

    @property
    def parameters(self) -> dict[str, Value]:
        """For statements that check the lease themselves, as RECORD_EVENT does."""
        return {"job": self.job_id, "lease": self.id}

    def lost(self) -> LeaseLostError:
        return LeaseLostError(f"job {self.job_id} belongs to another worker now")
