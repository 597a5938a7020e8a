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
    """`running` batches; `rested` if the last one held new documents only, which had waited for a short time."""

    began_at: float
    running: int = 0
    rested: bool = True
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
        if known is None:
            return False
        return known.resting_until > self._clock() or (known.rested and known.running > 0)

    def began(self, project: UUID) -> None:
        """A project that rests between batches has one at once."""
        self._projects.setdefault(project, _Project(self._clock())).running += 1

    def ended(self, project: UUID, taken: Sequence[ClaimedDocument], seconds: float) -> float:
        """Counts a batch that took `seconds`. Returns how many seconds the project rests."""
        now = self._clock()
        known = self._projects[project]
        known.running -= 1
        known.finished.append((now, len(taken)))
        ages = [_age(each) for each in taken]
        known.delay = max((age for age in ages if age is not None and age < OLD), default=0.0)
        known.rested = all(age is not None and age < RESTING for age in ages)
        rest = min(LONGEST_REST, REST * seconds) if taken and known.rested else 0.0
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
            if known.running or known.resting_until > now or known.finished[-1][0] > now - MEASURED
        }


def _age(document: ClaimedDocument) -> float | None:
    """Seconds since the creation of a document; None if it has changed since."""
    return max(0.0, unix_time() - (document.id.int >> 80) / 1000) if document.version == 1 else None
