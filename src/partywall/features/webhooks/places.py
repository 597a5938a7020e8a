"""Whose turn it is: fair between accounts, however long their receivers take. Nothing here waits or asks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID


class Candidate(NamedTuple):
    """A webhook, its project, and the account that the project counts for."""

    account: UUID
    project: UUID
    webhook: UUID


class Places:
    """So many turns at once, and a room for the webhooks that are claimed and have no place yet.

    All projects of an account together have at most a third, and it takes a further place only while it holds fewer
    than are free: the last goes to nobody but an account that has none. Where all are taken, so does the next that
    becomes free.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._share = max(1, total // 3)
        self._at_work: Counter[UUID] = Counter()
        # By project, so that those of one account share alike.
        self._in_project: Counter[UUID] = Counter()
        # In the order of their coming, or of their account's last turn; each once.
        self._room: dict[Candidate, None] = {}

    @property
    def free(self) -> int:
        return self._total - self._at_work.total()

    @property
    def waiting(self) -> int:
        return len(self._room)

    @property
    def deserted(self) -> bool:
        """Nobody is at work, and nobody waits."""
        return not self._at_work and not self._room

    @property
    def crowded(self) -> bool:
        """An account that has no place waits for one, and there is none: who has had an attempt gives way."""
        return self.free <= 0 and any(each.account not in self._at_work for each in self._room)

    @property
    def can_begin(self) -> bool:
        return self._next() is not None

    def wait(self, candidates: Iterable[Candidate]) -> None:
        self._room.update(dict.fromkeys(candidates))

    def begin(self) -> Candidate | None:
        """Takes a place for whoever is next; None where nobody may. To be ended."""
        chosen = self._next()
        if chosen is not None:
            del self._room[chosen]
            self._at_work[chosen.account] += 1
            self._in_project[chosen.project] += 1
        return chosen

    def end(self, ended: Candidate) -> None:
        """Whoever has just had a turn stands behind the others."""
        for candidate in [each for each in self._room if each.account == ended.account]:
            self._room[candidate] = self._room.pop(candidate)
        for counter, key in ((self._at_work, ended.account), (self._in_project, ended.project)):
            counter[key] -= 1
            if not counter[key]:
                del counter[key]

    def send_away(self) -> list[Candidate]:
        """Those who wait in vain, for other workers; of each account that has no place, the first one stays."""
        stays = {candidate.account: candidate for candidate in reversed(self._room)}
        kept = {candidate for account, candidate in stays.items() if account not in self._at_work}
        sent = [candidate for candidate in self._room if candidate not in kept]
        self._room = {candidate: None for candidate in self._room if candidate in kept}
        return sent

    def clear(self) -> list[Candidate]:
        """All who wait."""
        sent = list(self._room)
        self._room.clear()
        return sent

    def _next(self) -> Candidate | None:
        """Of the account with the fewest at work, and there of such a project, the first, if it may hold one more."""
        found = min(self._room, key=self._held, default=None)
        return found if found is not None and self._at_work[found.account] < min(self._share, self.free) else None

    def _held(self, candidate: Candidate) -> tuple[int, int]:
        return self._at_work[candidate.account], self._in_project[candidate.project]
