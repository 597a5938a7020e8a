"""Work in the background: enqueued in a transaction, run by workers."""

from __future__ import annotations

from partywall.core.jobs.context import AnotherAttemptError, JobContext
from partywall.core.jobs.queue import enqueue, enqueue_once
from partywall.core.resources import Resources

__all__ = [
    "AnotherAttemptError",
    "JobContext",
    "Resources",
    "enqueue",
    "enqueue_once",
]
