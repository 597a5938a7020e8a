"""How much of the event loop the delivery of events may take, for each account."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final
from uuid import UUID

# What an account's streams may take of each second, and at once after a rest: both in seconds of the event loop.
EACH_SECOND: Final = 0.2
AT_ONCE: Final = 0.2
# Of many projects with streams each waits no longer, in seconds: rights are checked with every delivery.
LONGEST: Final = 2.0
# The cost of waking one stream, of one event for it, and of one byte, in seconds.
STREAM, EVENT, BYTE = 40e-6, 3e-6, 2e-9


def cost(streams: int, events: int, size: int) -> float:
    """Seconds of the event loop for `events` of `size` bytes together, sent to each of `streams`."""
    return streams * (STREAM + events * EVENT + size * BYTE)


class DeliveryPace:
    """A token bucket for each account; one that is full again is forgotten."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._paid_at: dict[UUID, float] = {}

    def wait_after(self, account: UUID, seconds: float) -> float:
        """Counts what a delivery took; answers how long the account's next delivery has to wait."""
        now = self._clock()
        self._paid_at = {each: paid for each, paid in self._paid_at.items() if paid > now}
        paid = max(now, self._paid_at.get(account, now)) + seconds / EACH_SECOND
        self._paid_at[account] = paid
        return min(LONGEST, max(0.0, paid - now - AT_ONCE / EACH_SECOND))
