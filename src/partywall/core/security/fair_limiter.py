from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from partywall.core.security.fair_queue import FairQueue, QueueFullError, QueueLimits, Waiter

MAX_WAIT_SECONDS: Final = 5.0
# Who has waited that long for nothing comes back when the queue is another one.
_BACK_IN_SECONDS: Final = 5


class FairLimiter:
    """Lets in `at_once`. Those who are `known` wait in a queue of their own, which is served first.

    No more than every second turn is theirs while a stranger could take it, and of several places one is never a
    stranger's: so many strangers do not keep those who are known waiting, nor the other way round. Nobody waits longer
    than `max_wait` seconds.
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
        """Waits for a place; raises QueueFullError."""
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
        """Before its turn, or as it came."""
        if turn.done() and not turn.cancelled() and turn.exception() is None:
            self._release(known=known)
        else:
            (self._known if known else self._unknown).leave(client, turn)

    def _release(self, *, known: bool) -> None:
        """The place goes to the next who still waits and may have it."""
        self._free += 1
        if not known:
            self._for_unknown += 1
        while (next_known := self._next_is_known()) is not None:
            turn = (self._known if next_known else self._unknown).next()
            if not turn.done():
                self._take(known=next_known)
                turn.set_result(None)

    def _next_is_known(self) -> bool | None:
        """Whether one who is known is next, or a stranger; None where nobody can be."""
        known = len(self._known) > 0 and self._has_slot(known=True)
        outsider = len(self._unknown) > 0 and self._has_slot(known=False)
        if known and outsider:
            return not self._known_was_last
        return known if known or outsider else None
