from __future__ import annotations

from collections import Counter
from collections.abc import Hashable


class Places[K: Hashable]:
    """How many may be here at the same time: `total` of all, `each` of one key."""

    def __init__(self, total: int, each: int) -> None:
        self._total = total
        self._each = each
        self._taken: Counter[K] = Counter()
        self._sum = 0

    @property
    def taken(self) -> int:
        return self._sum

    def take(self, key: K) -> bool:
        """False where there is no place left; otherwise it has to be given back."""
        if self._sum >= self._total or self._taken[key] >= self._each:
            return False
        self._taken[key] += 1
        self._sum += 1
        return True

    def give_back(self, key: K) -> None:
        self._sum -= 1
        self._taken[key] -= 1
        if not self._taken[key]:
            del self._taken[key]
