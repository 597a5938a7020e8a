"""Which projects are worth a look at once, because they have just had news."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final
from uuid import UUID

MOST: Final = 1000


@dataclass(slots=True)
class FreshNews:
    """Each project once within `pause`, however much happens there: what follows is found by the slow poll.

    Of more than `MOST` projects at a time the rest is left to the poll as well.
    """

    pause: timedelta
    wake: asyncio.Event
    _fresh: set[UUID] = field(default_factory=set)
    _quiet_until: dict[UUID, float] = field(default_factory=dict)

    def hear(self, projects: Collection[UUID]) -> None:
        now = asyncio.get_running_loop().time()
        for project in projects:
            if len(self._fresh) < MOST and self._quiet_until.get(project, 0.0) <= now:
                self._fresh.add(project)
        if self._fresh:
            self.wake.set()

    def take(self) -> list[UUID]:
        """What was heard since; it is not worth a look again for a while."""
        now = asyncio.get_running_loop().time()
        taken = list(self._fresh)
        self._fresh.clear()
        self._quiet_until = {project: until for project, until in self._quiet_until.items() if until > now}
        self._quiet_until.update(dict.fromkeys(taken, now + self.pause.total_seconds()))
        return taken
