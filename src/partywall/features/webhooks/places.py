"""Whose turn it is: fair between projects, however long their receivers take. Nothing here waits or asks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from uuid import UUID

# A project, and one of its webhooks.
type Candidate = tuple[UUID, UUID]


class Places:
    """So many turns at once, and a room for the webhooks that are claimed and have no place yet.

    A project takes a further place only while it holds fewer than are free: one alone gets half of them, and the last
    goes to nobody but a project that has none. Where all are taken, so does the next that becomes free.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._at_work: Counter[UUID] = Counter()
        # In the order of their coming, or of their project's last turn; each once.
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
        """A project that has no place waits for one, and there is none: who has had an attempt gives way."""
        return self.free <= 0 and any(project not in self._at_work for project, _ in self._room)

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
            self._at_work[chosen[0]] += 1
        return chosen

    def end(self, project: UUID) -> None:
        """Whoever has just had a turn stands behind the others."""
        for candidate in [each for each in self._room if each[0] == project]:
            self._room[candidate] = self._room.pop(candidate)
        self._at_work[project] -= 1
        if not self._at_work[project]:
            del self._at_work[project]

    def send_away(self) -> list[Candidate]:
        """Those who wait in vain, for other workers; of each project that has no place, the first one stays."""
        stays = {project: (project, webhook) for project, webhook in reversed(self._room)}
        kept = {candidate for project, candidate in stays.items() if project not in self._at_work}
        sent = [candidate for candidate in self._room if candidate not in kept]
        self._room = {candidate: None for candidate in self._room if candidate in kept}
        return sent

    def clear(self) -> list[Candidate]:
        """All who wait."""
        sent = list(self._room)
        self._room.clear()
        return sent

    def _next(self) -> Candidate | None:
        """Of the project with the fewest at work the one that came first, if it may hold one more."""
        found = min(self._room, key=lambda candidate: self._at_work[candidate[0]], default=None)
        return found if found is not None and self._at_work[found[0]] < self.free else None
