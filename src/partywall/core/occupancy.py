from __future__ import annotations

from collections import Counter, deque
from collections.abc import Hashable, Iterable, Mapping

from partywall.core.clock import unix_time


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


class SharedPlaces:
    """How many may be here at the same time: `total` of all, and so many of each key that one of them counts for."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._taken: Counter[Hashable] = Counter()
        self._sum = 0

    @property
    def taken(self) -> int:
        return self._sum

    @property
    def third(self) -> int:
        """What one account may have at most."""
        return max(1, self._total // 3)

    def take(self) -> Place | None:
        """None where there is no place left; otherwise it has to be given back."""
        if self._sum >= self._total:
            return None
        self._sum += 1
        return Place(self)

    def count(self, key: Hashable, most: int) -> bool:
        if self._taken[key] >= most:
            return False
        self._taken[key] += 1
        return True

    def give_back(self, keys: Iterable[Hashable]) -> None:
        self._sum -= 1
        for key in keys:
            self._taken[key] -= 1
            if not self._taken[key]:
                del self._taken[key]


class Place:
    """One of the shared places, and what it counts for."""

    __slots__ = ("_keys", "_places")

    def __init__(self, places: SharedPlaces) -> None:
        self._places: SharedPlaces | None = places
        self._keys: list[Hashable] = []

    def counts_for(self, key: Hashable, most: int) -> bool:
        """False where the key has as many as that; the place is still to be given back."""
        assert self._places is not None
        if not self._places.count(key, most):
            return False
        self._keys.append(key)
        return True

    def give_back(self) -> None:
        """Once; again is nothing."""
        places, self._places = self._places, None
        if places is not None:
            places.give_back(self._keys)


class TimedPlaces:
    """Places that are given back after `seconds` by themselves."""

    def __init__(self, places: SharedPlaces, seconds: float) -> None:
        self.places = places
        self.seconds = seconds
        self._until: deque[tuple[float, Place]] = deque()

    def take(self, limits: Mapping[Hashable, int]) -> bool:
        """False where there is none, or one of these has as many as its limit says."""
        now = unix_time()
        while self._until and self._until[0][0] <= now:
            self._until.popleft()[1].give_back()
        place = self.places.take()
        if place is None:
            return False
        if not all(place.counts_for(key, most) for key, most in limits.items()):
            place.give_back()
            return False
        self._until.append((now + self.seconds, place))
        return True
