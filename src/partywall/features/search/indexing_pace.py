"""When a project's next batch of small documents may start, and how far its indexing is behind.

While new documents wait for less than 1.5 seconds, a project's batches rest in between. The rest leaves the processor
to the requests that create the documents, and more of them gather for the next batch.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from partywall.core.backpressure import Report
from partywall.core.clock import unix_time
from partywall.features.documents.index_queue import ClaimedDocument

# A project rests while its documents wait for less than so many seconds.
RESTING: Final = 1.5
# A rest takes so many times as long as the batch before it, and at most so many seconds.
REST, LONGEST_REST = 5.0, 1.0
# The rate is measured over so many seconds.
MEASURED: Final = 2.0
# Documents that have existed for longer wait for another reason: an outage, or `partywall reindex`.
OLD: Final = 60.0


@dataclass(slots=True)
class _Project:
    began_at: float
    delay: float = 0.0
    resting_until: float = 0.0
    finished: deque[tuple[float, int]] = field(default_factory=deque)

    def rate(self, now: float) -> float:
        while self.finished and self.finished[0][0] < now - MEASURED:
            self.finished.popleft()
        seconds = min(MEASURED, max(now - self.began_at, 0.001))
        return sum(count for _, count in self.finished) / seconds


class IndexingPace:
    """Knows the projects that had a batch in the last seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._projects: dict[UUID, _Project] = {}

    def rests(self, project: UUID) -> bool:
        known = self._projects.get(project)
        return known is not None and known.resting_until > self._clock()

    def began(self, project: UUID) -> None:
        """A project that is hardly behind has one batch at once."""
        now = self._clock()
        known = self._projects.setdefault(project, _Project(now))
        if known.delay < RESTING:
            known.resting_until = float("inf")

    def ended(self, project: UUID, taken: Sequence[ClaimedDocument], seconds: float) -> float:
        """Counts a batch that took `seconds`. Returns how many seconds the project rests."""
        now = self._clock()
        known = self._projects[project]
        known.finished.append((now, len(taken)))
        known.delay = max((age for each in taken if (age := _age(each)) < OLD), default=0.0)
        rest = min(LONGEST_REST, REST * seconds) if taken and known.delay < RESTING else 0.0
        known.resting_until = now + rest
        self._forget(now)
        return rest

    def report(self, project: UUID) -> Report:
        known = self._projects[project]
        return Report(known.delay, known.rate(self._clock()))

    def _forget(self, now: float) -> None:
        self._projects = {
            project: known
            for project, known in self._projects.items()
            if known.resting_until > now or (known.finished and known.finished[-1][0] > now - MEASURED)
        }


def _age(document: ClaimedDocument) -> float:
    """Seconds since the creation of a document that has never changed; 0 if it has changed."""
    return max(0.0, unix_time() - (document.id.int >> 80) / 1000) if document.version == 1 else 0.0
