"""Quarantine for jobs that were running when their worker died. One of them may have killed it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

# A job that hangs blocks the others for at most this time.
MAX_WAIT: Final = timedelta(minutes=5)


@dataclass(slots=True)
class CrashQuarantine:
    """A worker runs one such job at a time, so that a job that kills its worker soon takes no others with it.

    The others stay on the queue, without a counted attempt, until any worker has a free slot for them.
    """

    _job_id: int | None = None
    _taken_at: float = 0.0

    @property
    def slot_is_free(self) -> bool:
        return self._job_id is None or time.monotonic() - self._taken_at > MAX_WAIT.total_seconds()

    def take(self, job_id: int) -> None:
        self._job_id, self._taken_at = job_id, time.monotonic()

    def clear(self, job_id: int) -> bool:
        """Frees the slot when the job has ended or made progress. Returns False if another job or none is in it."""
        if self._job_id != job_id:
            return False
        self._job_id = None
        return True
