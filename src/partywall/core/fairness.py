from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from partywall.core.errors import TooManyRequestsError
from partywall.core.tenancy import ProjectScope

RETRY_AFTER_SECONDS = 5


class FairGate:
    """Lets in so many at once, of one project at most one, so that nobody's costly work stands in another's way."""

    def __init__(self, at_once: int, waiting_per_project: int) -> None:
        self._places = asyncio.Semaphore(at_once)
        self._turns: dict[UUID, asyncio.Lock] = {}
        self._present: Counter[UUID] = Counter()
        self._limit = 1 + waiting_per_project

    @asynccontextmanager
    async def enter(self, scope: ProjectScope) -> AsyncIterator[None]:
        """Waits for the project's turn and a place; raises TooManyRequestsError where its queue is full."""
        key = scope.project_id
        if self._present[key] >= self._limit:
            raise TooManyRequestsError(RETRY_AFTER_SECONDS, "This work is under way as often as it may be; try again.")
        self._present[key] += 1
        try:
            async with self._turns.setdefault(key, asyncio.Lock()), self._places:
                yield
        finally:
            self._present[key] -= 1
            if not self._present[key]:
                del self._present[key], self._turns[key]
