"""Limits how many run at once; a caller that finds no slot is refused at once."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Hashable, Iterable, Mapping

from partywall.core.clock import unix_time


class ConcurrencyLimiter[K: Hashable]:
    """Limits how many run at once: `total` in all, `each` for one key."""

    def __init__(self, total: int, each: int) -> None:
        self._total = total
        self._each = each
        self._taken: Counter[K] = Counter()
        self._sum = 0

    @property
    def taken(self) -> int:
        return self._sum

    def take(self, key: K) -> bool:
        """Takes a slot, which `release` must give back; false if none is free."""
        if self._sum >= self._total or self._taken[key] >= self._each:
            return False
        self._taken[key] += 1
        self._sum += 1
        return True

    def release(self, key: K) -> None:
        self._sum -= 1
        self._taken[key] -= 1
        if not self._taken[key]:
            del self._taken[key]


class SharedLimiter:
    """Limits how many run at once: `total` in all, and a limit for each key that a slot counts for."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._taken: Counter[Hashable] = Counter()
        self._sum = 0

    @property
    def taken(self) -> int:
        return self._sum

    @property
    def third(self) -> int:
        """How many slots one account may hold."""
        return max(1, self._total // 3)

    def take(self) -> Slot | None:
        """A slot, which must be released; None if none is free."""
        if self._sum >= self._total:
            return None
        self._sum += 1
        return Slot(self)

    def count(self, key: Hashable, most: int) -> bool:
        if self._taken[key] >= most:
            return False
        self._taken[key] += 1
        return True

    def release(self, keys: Iterable[Hashable]) -> None:
        self._sum -= 1
        for key in keys:
            self._taken[key] -= 1
            if not self._taken[key]:
                del self._taken[key]


class Slot:
    """One slot, and the keys that it counts for."""

    __slots__ = ("_keys", "_slots")

    def __init__(self, slots: SharedLimiter) -> None:
        self._slots: SharedLimiter | None = slots
        self._keys: list[Hashable] = []

    def counts_for(self, key: Hashable, most: int) -> bool:
        """Counts the slot for a key; false if the key already has `most`. The slot must still be released."""
        assert self._slots is not None
        if not self._slots.count(key, most):
            return False
        self._keys.append(key)
        return True

    def release(self) -> None:
        """Further calls do nothing."""
        slots, self._slots = self._slots, None
        if slots is not None:
            slots.release(self._keys)


class TimedSlots:
    """Slots that are released after `seconds`."""

    def __init__(self, slots: SharedLimiter, seconds: float) -> None:
        self.slots = slots
        self.seconds = seconds
        self._until: deque[tuple[float, Slot]] = deque()

    def take(self, limits: Mapping[Hashable, int]) -> bool:
        """False if none is free, or one of the keys has reached its limit."""
        now = unix_time()
        while self._until and self._until[0][0] <= now:
            self._until.popleft()[1].release()
        slot = self.slots.take()
        if slot is None:
            return False
        if not all(slot.counts_for(key, most) for key, most in limits.items()):
            slot.release()
            return False
        self._until.append((now + self.seconds, slot))
        return True
