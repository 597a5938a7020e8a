"""Whose jobs a worker takes next: accounts take turns, and so do the projects of each. Nothing here waits or asks."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, NamedTuple
from uuid import UUID

from partywall.core.jobs.models import NO_PROJECT

# How long one job works for one project before it lets others have its place.
TURN_SECONDS: Final = 1.0
# Lines of one kind that a worker knows at once. Where there are more, it serves these and then looks at the next.
WINDOW: Final = 500
_NONE: Final[Mapping[str, int]] = MappingProxyType({})


class JobLine(NamedTuple):
    """The jobs of one kind that wait in one project; `account` is whose share they take."""

    kind: str
    project: UUID
    account: UUID


class ChosenLine(NamedTuple):
    """How many jobs are to be taken from which line."""

    kind: str
    project: UUID
    jobs: int


@dataclass(slots=True)
class _Lines:
    """Those of one kind. `most` is how many of so many places one account may have, where places are shared, and
    `limit` how many jobs it may have at work over all workers."""

    most: int | None = None
    limit: int | None = None
    # How many jobs each account has at work.
    held: Counter[UUID] = field(default_factory=Counter)
    # The accounts in the order of their turns, and the projects of each.
    accounts: OrderedDict[UUID, OrderedDict[UUID, None]] = field(default_factory=OrderedDict)
    account_of: dict[UUID, UUID] = field(default_factory=dict)
    unserved: set[UUID] = field(default_factory=set)
    # Where there is a limit, the projects that were served, in this order: whoever reached it comes back to its turn.
    served: OrderedDict[UUID, None] = field(default_factory=OrderedDict)
    # Where the next window begins, if there may be more lines behind this one.
    start: UUID = NO_PROJECT
    is_one_of_several: bool = False

    @property
    def is_current(self) -> bool:
        """It is one window of several, and not all in it had their turn."""
        return self.is_one_of_several and bool(self.unserved)

    def replace(self, found: Mapping[UUID, UUID]) -> None:
        """Who stays keeps the place; who is new stands behind, and of these first whoever was not served of late."""
        for project in self.account_of.keys() - found.keys():
            self.remove(project)
        turn = {project: number for number, project in enumerate(self.served, 1)}
        for project, account in sorted(found.items(), key=lambda line: turn.get(line[0], 0)) if turn else found.items():
            if self.account_of.get(project, account) != account:
                self.remove(project)
            self.account_of[project] = account
            self.accounts.setdefault(account, OrderedDict()).setdefault(project)
        self.unserved = set(found)
        self.is_one_of_several = len(found) >= WINDOW or self.start != NO_PROJECT
        self.start = UUID(int=max(found).int + 1) if len(found) >= WINDOW else NO_PROJECT

    def remove(self, project: UUID) -> None:
        account = self.account_of.pop(project, None)
        if account is not None:
            self.unserved.discard(project)
            del self.accounts[account][project]
            if not self.accounts[account]:
                del self.accounts[account]

    def choose(self, slots: int) -> Counter[UUID]:
        chosen, held = Counter[UUID](), self.held.copy()
        while (account := self._next(slots - chosen.total(), held)) is not None:
            projects = self.accounts[account]
            project = next(iter(projects))
            projects.move_to_end(project)
            self.accounts.move_to_end(account)
            self.unserved.discard(project)
            chosen[project] += 1
            held[account] += 1
        return chosen

    def _next(self, free: int, held: Counter[UUID]) -> UUID | None:
        """The first that is below its limit.

        Where places are shared, the one with the fewest, which takes one more only while it has fewer than are free: so
        the last one goes to an account that has none.
        """
        if free <= 0:
            return None
        below = (each for each in self.accounts if self.limit is None or held[each] < self.limit)
        if self.most is None:
            return next(below, None)
        account = min(below, key=lambda each: held[each], default=None)
        return account if account is not None and held[account] < min(self.most, free) else None

    def serve(self, project: UUID) -> None:
        if self.limit is not None:
            self.served[project] = None
            self.served.move_to_end(project)
            if len(self.served) > WINDOW:
                self.served.popitem(last=False)

    def end(self, account: UUID) -> None:
        """Whose job has just left a shared place stands behind the others."""
        self.held[account] -= 1
        if not self.held[account]:
            del self.held[account]
        if self.most is not None and account in self.accounts:
            self.accounts.move_to_end(account)

    @property
    def has_new_tenant(self) -> bool:
        """An account waits that has nothing at work."""
        return any(not self.held[account] for account in self.accounts)


class FairScheduler:
    """What a worker knows of who waits. A line that gave less than was asked of it is over.

    `most` says of the kinds whose places are shared how many of them one account may have, and `limits` of those that
    have any how many jobs of an account are at work over all workers: no more than may begin are chosen.
    """

    def __init__(
        self, kinds: Iterable[str], most: Mapping[str, int] = _NONE, limits: Mapping[str, int] = _NONE
    ) -> None:
        self._lines = {kind: _Lines(most.get(kind), limits.get(kind)) for kind in kinds}

    @property
    def is_empty(self) -> bool:
        return not any(lines.accounts for lines in self._lines.values())

    def unknown(self) -> dict[str, UUID]:
        """Of which kinds to ask for lines, and from which project on."""
        return {kind: lines.start for kind, lines in self._lines.items() if not lines.is_current}

    def found(self, asked: Iterable[str], found: Iterable[JobLine]) -> None:
        """All that wait of the kinds that were asked for, or the next window of them."""
        by_kind: dict[str, dict[UUID, UUID]] = {kind: {} for kind in asked}
        for line in found:
            by_kind.setdefault(line.kind, {})[line.project] = line.account
        for kind, projects in by_kind.items():
            self._lines[kind].replace(projects)

    def choose(self, free: Mapping[str, int]) -> list[ChosenLine]:
        """Jobs for the free places of each kind."""
        return [
            ChosenLine(kind, project, jobs)
            for kind, slots in free.items()
            for project, jobs in self._lines[kind].choose(slots).items()
        ]

    def begin(self, kind: str, account: UUID) -> None:
        self._lines[kind].held[account] += 1

    def end(self, kind: str, account: UUID) -> None:
        self._lines[kind].end(account)

    def has_new_tenant(self, kind: str) -> bool:
        """An account that has none of these jobs at work waits for one."""
        return self._lines[kind].has_new_tenant

    def taken(self, chosen: Iterable[ChosenLine], taken: Counter[tuple[str, UUID]]) -> None:
        for kind, project, jobs in chosen:
            if taken[kind, project]:
                self._lines[kind].serve(project)
            if taken[kind, project] < jobs:
                self._lines[kind].remove(project)
