from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

from pgqueuer.core.qm import QueueManager
from pgqueuer.errors import FailingListenerError
from pgqueuer.models import Context, HealthCheckEvent, Job
from pgqueuer.types import JobId, QueueEntrypoint

from partywall.core.jobs.suspects import Suspects, was_lost


@dataclass
class LimitedTaker(QueueManager):
    """Takes a job off the queue only when this process can begin it at once: at most `limits[kind]` of a kind.

    So a kind that hangs fills its own places and no other's, and what is not begun stays there for every worker.
    PgQueuer's own limits hold for all workers together, and count what all of them have taken with every look at the
    queue: a second worker would index no faster.
    """

    limits: Mapping[str, int] = field(default_factory=dict)
    suspects: Suspects = field(default_factory=Suspects)
    _taken: dict[JobId, QueueEntrypoint] = field(init=False, default_factory=dict)
    _probed: bool = field(init=False, default=False)

    def entrypoints_below_capacity_limits(self) -> set[QueueEntrypoint]:
        taken = Counter(self._taken.values())
        return {kind for kind in self.entrypoint_registry if taken[kind] < self.limits[kind]}

    async def fetch_jobs(
        self, batch_size: int, global_concurrency_limit: int | None, heartbeat_timeout: timedelta
    ) -> AsyncGenerator[Job, None]:
        """To be asked for one job at a time: a batch could be of one kind alone, and go past its limit."""
        async for job in super().fetch_jobs(batch_size, global_concurrency_limit, heartbeat_timeout):
            # One that is still in hand here was not lost: its heartbeat came late.
            if was_lost(job.headers) and job.id not in self._taken:
                self.suspects.take(job.id)
            self._taken[job.id] = job.entrypoint
            yield job

    async def _effective_dequeue_timeout(self, dequeue_timeout: timedelta) -> timedelta:
        """Nobody tells the loop that a suspect is cleared while it is still at work."""
        if not self.suspects.place_is_free:
            return self.min_dequeue_poll_interval
        return await super()._effective_dequeue_timeout(dequeue_timeout)

    async def listener_healthy(self, timeout: timedelta = timedelta(seconds=10)) -> HealthCheckEvent:  # noqa: ASYNC109 - PgQueuer's signature
        """The very first probe may be sent before anybody listens: then it is sent again, and the worker not ended.

        To end it means to wait for all jobs in hand, and one that hangs would hold up the others after all.
        """
        if not self._probed:
            self._probed = True
            with suppress(FailingListenerError):
                return await super().listener_healthy(timeout)
        return await super().listener_healthy(timeout)

    def forget_job(self, job_id: JobId, context: Context, task: asyncio.Task[None]) -> None:
        super().forget_job(job_id, context, task)
        if job_id not in self.job_context:
            self._taken.pop(job_id, None)
            self.suspects.clear(job_id)
