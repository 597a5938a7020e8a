"""Limits each account's share of the event loop for event delivery."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final
from uuid import UUID

# Seconds of the event loop that an account's streams may use per second, and in a burst.
EACH_SECOND: Final = 0.2
AT_ONCE: Final = 0.05
# The longest wait in seconds, however many projects stream: access is checked with every delivery.
LONGEST: Final = 2.0
# The longest uninterrupted delivery in seconds, unless one stream takes longer.
IN_A_ROW: Final = 0.002
# The cost in seconds of waking one stream, of one event for it, and of one byte.
STREAM, EVENT, BYTE = 40e-6, 3e-6, 2e-9
# In addition: of an event that is sent as a message of its own, and of a read of past events.
MESSAGE, READ = 8e-6, 200e-6


def cost(events: int, size: int, messages: int = 0) -> float:
    """Seconds of the event loop to send `events` of `size` bytes in total to one stream, `messages` of them singly."""
    return STREAM + events * EVENT + size * BYTE + messages * MESSAGE


class DeliveryPace:
    """A token bucket for each account; full buckets are dropped."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._paid_at: dict[UUID, float] = {}

    def wait_after(self, account: UUID, seconds: float) -> float:
        """Counts a delivery of `seconds`. Returns how many seconds the account's next delivery has to wait."""
        now = self._clock()
        self._paid_at = {each: paid for each, paid in self._paid_at.items() if paid > now}
        paid = max(now, self._paid_at.get(account, now)) + seconds / EACH_SECOND
        self._paid_at[account] = paid
        return min(LONGEST, max(0.0, paid - now - AT_ONCE / EACH_SECOND))
