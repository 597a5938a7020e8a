"""Jobs whose worker was lost with them at work. One of them may have killed it, and nobody knows which."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

# One that hangs holds up the others no longer than this.
MAX_WAIT: Final = timedelta(minutes=5)


@dataclass(slots=True)
class CrashQuarantine:
    """The one place that a worker has for them: so a job that kills its worker is soon the only suspect to die with it.

    The others stay on the queue, where nothing is counted against them, and any worker whose place is free takes them.
    """

    _job_id: int | None = None
    _taken_at: float = 0.0

    @property
    def slot_is_free(self) -> bool:
        return self._job_id is None or time.monotonic() - self._taken_at > MAX_WAIT.total_seconds()

    def take(self, job_id: int) -> None:
        self._job_id, self._taken_at = job_id, time.monotonic()

    def clear(self, job_id: int) -> bool:
        """It has ended, or is past what it was at when its worker was lost; False where it was no suspect."""
        if self._job_id != job_id:
            return False
        self._job_id = None
        return True
