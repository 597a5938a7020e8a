"""The order in which waiting projects are indexed: accounts take turns, and so do the projects of each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from partywall.features.documents.index_queue import DueProject, WorkKind

_REMEMBERED: Final = 10_000


@dataclass(slots=True)
class ProjectRotation:
    """Least recently served first. A round has one batch per account, so a new account waits for one round at most."""

    _served: dict[UUID | tuple[UUID, WorkKind], int] = field(default_factory=dict)
    _count: int = 0

    def round(self, waiting: Iterable[DueProject]) -> list[DueProject]:
        """One project per account, least recently served first."""
        chosen: dict[UUID, DueProject] = {}
        for each in sorted(waiting, key=lambda each: self._last((each.project, each.kind))):
            chosen.setdefault(each.account, each)
        return sorted(chosen.values(), key=lambda each: self._last(each.account))

    def served(self, due: DueProject) -> None:
        if len(self._served) > _REMEMBERED:
            self._served.clear()
        self._count += 1
        self._served[due.account] = self._served[due.project, due.kind] = self._count

    def _last(self, key: UUID | tuple[UUID, WorkKind]) -> int:
        return self._served.get(key, 0)
