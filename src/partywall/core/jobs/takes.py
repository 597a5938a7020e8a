from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from pgqueuer.core.qm import QueueManager
from pgqueuer.models import Context, Job
from pgqueuer.types import JobId, QueueEntrypoint


@dataclass
class LimitedTaker(QueueManager):
    """Takes a job off the queue only when this process can begin it at once: at most `limits[kind]` of a kind.

    So a kind that hangs fills its own places and no other's, and what is not begun stays there for every worker.
    PgQueuer's own limits hold for all workers together, and count what all of them have taken with every look at the
    queue: a second worker would index no faster.
    """

    limits: Mapping[str, int] = field(default_factory=dict)
    _taken: dict[JobId, QueueEntrypoint] = field(init=False, default_factory=dict)

    def entrypoints_below_capacity_limits(self) -> set[QueueEntrypoint]:
        taken = Counter(self._taken.values())
        return {kind for kind in self.entrypoint_registry if taken[kind] < self.limits[kind]}

    async def fetch_jobs(
        self, batch_size: int, global_concurrency_limit: int | None, heartbeat_timeout: timedelta
    ) -> AsyncGenerator[Job, None]:
        """To be asked for one job at a time: a batch could be of one kind alone, and go past its limit."""
        async for job in super().fetch_jobs(batch_size, global_concurrency_limit, heartbeat_timeout):
            self._taken[job.id] = job.entrypoint
            yield job

    def forget_job(self, job_id: JobId, context: Context, task: asyncio.Task[None]) -> None:
        super().forget_job(job_id, context, task)
        if job_id not in self.job_context:
            self._taken.pop(job_id, None)
