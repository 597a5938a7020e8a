"""Limits concurrency, fairly between networks and their clients; a client that finds no slot waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from partywall.core.security.fair_queue import FairQueue, QueueFullError, QueueLimits, Waiter

MAX_WAIT_SECONDS: Final = 5.0
# Retry-After for callers whose wait timed out.
_BACK_IN_SECONDS: Final = 5


class FairLimiter:
    """Limits concurrency to `at_once`. `known` clients have their own queue, which is served first.

    While unknown clients could use a slot, known ones get at most every second one; if there are several slots, one is
    never given to unknown clients. So neither group can starve the other. Waits last at most `max_wait` seconds.
    """

    def __init__(self, at_once: int, room: QueueLimits | None = None, max_wait: float = MAX_WAIT_SECONDS) -> None:
        self._free = at_once
        self._max_wait = max_wait
        self._for_unknown = max(1, at_once - 1)
        self._known, self._unknown = (FairQueue(room or QueueLimits()) for _ in range(2))
        self._known_was_last = False

    @property
    def waiting(self) -> int:
        return len(self._known) + len(self._unknown)

    @asynccontextmanager
    async def enter(self, client: str, *, known: bool = False) -> AsyncIterator[None]:
        """Waits for a slot; raises QueueFullError."""
        if self._has_slot(known=known):
            self._take(known=known)
        else:
            await self._wait(client, known=known)
        try:
            yield
        finally:
            self._release(known=known)

    def _has_slot(self, *, known: bool) -> bool:
        return self._free > 0 and (known or self._for_unknown > 0)

    def _take(self, *, known: bool) -> None:
        self._free -= 1
        self._known_was_last = known
        if not known:
            self._for_unknown -= 1

    async def _wait(self, client: str, *, known: bool) -> None:
        turn = (self._known if known else self._unknown).join(client)
        try:
            async with asyncio.timeout(self._max_wait):
                await turn
        except TimeoutError as error:
            self._leave(client, turn, known=known)
            raise QueueFullError(_BACK_IN_SECONDS) from error
        except asyncio.CancelledError:
            self._leave(client, turn, known=known)
            raise

    def _leave(self, client: str, turn: Waiter, *, known: bool) -> None:
        """Gives up waiting. A slot granted at the same moment is released."""
        if turn.done() and not turn.cancelled() and turn.exception() is None:
            self._release(known=known)
        else:
            (self._known if known else self._unknown).leave(client, turn)

    def _release(self, *, known: bool) -> None:
        """Gives the slot to the next waiter that may use it."""
        self._free += 1
        if not known:
            self._for_unknown += 1
        while (next_known := self._next_is_known()) is not None:
            turn = (self._known if next_known else self._unknown).next()
            if not turn.done():
                self._take(known=next_known)
                turn.set_result(None)

    def _next_is_known(self) -> bool | None:
        """Whether the next waiter is a known client; None if no waiter can get a slot."""
        known = len(self._known) > 0 and self._has_slot(known=True)
        outsider = len(self._unknown) > 0 and self._has_slot(known=False)
        if known and outsider:
            return not self._known_was_last
        return known if known or outsider else None
