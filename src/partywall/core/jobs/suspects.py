"""Jobs whose worker was lost with them at work. One of them may have killed it, and nobody knows which."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from pgqueuer.types import JobId

# In the headers of a job that was taken over, until it is put back.
LOST: Final = "worker_lost"
# One that hangs holds up the others no longer than this.
PATIENCE: Final = timedelta(minutes=5)


def was_lost(headers: Mapping[str, object] | None) -> bool:
    return headers is not None and LOST in headers


@dataclass(slots=True)
class Suspects:
    """The one place that a worker has for them: so a job that kills its worker is soon the only suspect to die with it.

    The others stay on the queue, where nothing is counted against them, and any worker whose place is free takes them.
    """

    _job_id: JobId | None = None
    _taken_at: float = 0.0

    @property
    def place_is_free(self) -> bool:
        return self._job_id is None or time.monotonic() - self._taken_at > PATIENCE.total_seconds()

    def take(self, job_id: JobId) -> None:
        self._job_id, self._taken_at = job_id, time.monotonic()

    def clear(self, job_id: JobId) -> None:
        """It has ended, or is past what it was at when its worker was lost."""
        if self._job_id == job_id:
            self._job_id = None
