"""Chooses the jobs that a worker takes next: accounts take turns, and so do the projects of each. Does no I/O."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, NamedTuple
from uuid import UUID

from partywall.core.jobs.models import NO_PROJECT

# How long one job works for one project before it yields its slot.
TURN_SECONDS: Final = 1.0
# The most lines of one kind that a worker loads at once. If there are more, it serves these, then loads the next.
WINDOW: Final = 500
_NONE: Final[Mapping[str, int]] = MappingProxyType({})


class JobLine(NamedTuple):
    """The waiting jobs of one kind in one project; `account` is the account whose share they use."""

    kind: str
    project: UUID
    account: UUID


class ChosenLine(NamedTuple):
    """How many jobs to take from a line."""

    kind: str
    project: UUID
    jobs: int


@dataclass(slots=True)
class _Lines:
    """The lines of one kind. `most` is how many of this worker's slots one account may use, if slots are shared;
    `limit` is how many jobs it may have running over all workers."""

    most: int | None = None
    limit: int | None = None
    # How many running jobs each account has.
    held: Counter[UUID] = field(default_factory=Counter)
    # The accounts in serving order, and the projects of each.
    accounts: OrderedDict[UUID, OrderedDict[UUID, None]] = field(default_factory=OrderedDict)
    account_of: dict[UUID, UUID] = field(default_factory=dict)
    unserved: set[UUID] = field(default_factory=set)
    # With a limit: projects in the order they were last served, to sort those that return after reaching the limit.
    served: OrderedDict[UUID, None] = field(default_factory=OrderedDict)
    # Where the next window begins, if there may be more lines after this one.
    start: UUID = NO_PROJECT
    is_one_of_several: bool = False

    @property
    def is_current(self) -> bool:
        """Whether it is one window of several, with lines not served yet."""
        return self.is_one_of_several and bool(self.unserved)

    def replace(self, found: Mapping[UUID, UUID]) -> None:
        """Known projects keep their position. New ones follow, those not served recently first."""
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
        """The first account below its limit.

        If slots are shared, the account with the fewest, and only while it has fewer than are free: so the last slot
        goes to an account that has none.
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
        """An account whose job has left a shared slot moves behind the others."""
        self.held[account] -= 1
        if not self.held[account]:
            del self.held[account]
        if self.most is not None and account in self.accounts:
            self.accounts.move_to_end(account)

    @property
    def has_new_tenant(self) -> bool:
        """Whether an account without a running job waits."""
        return any(not self.held[account] for account in self.accounts)


class FairScheduler:
    """What a worker knows of the waiting lines. A line that yields fewer jobs than requested is empty and removed.

    `most` is how many slots one account may use, for kinds whose slots are shared. `limits` is how many jobs of one
    account may run over all workers, for kinds with a limit; no more are chosen.
    """

    def __init__(
        self, kinds: Iterable[str], most: Mapping[str, int] = _NONE, limits: Mapping[str, int] = _NONE
    ) -> None:
        self._lines = {kind: _Lines(most.get(kind), limits.get(kind)) for kind in kinds}

    @property
    def is_empty(self) -> bool:
        return not any(lines.accounts for lines in self._lines.values())

    def unknown(self) -> dict[str, UUID]:
        """The kinds whose lines to load, and the project to start from."""
        return {kind: lines.start for kind, lines in self._lines.items() if not lines.is_current}

    def found(self, asked: Iterable[str], found: Iterable[JobLine]) -> None:
        """Replaces the lines of the requested kinds by those found, or by the next window of them."""
        by_kind: dict[str, dict[UUID, UUID]] = {kind: {} for kind in asked}
        for line in found:
            by_kind.setdefault(line.kind, {})[line.project] = line.account
        for kind, projects in by_kind.items():
            self._lines[kind].replace(projects)

    def choose(self, free: Mapping[str, int]) -> list[ChosenLine]:
        """Chooses jobs for the free slots of each kind."""
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
        """Whether an account without a running job of this kind waits for one."""
        return self._lines[kind].has_new_tenant

    def taken(self, chosen: Iterable[ChosenLine], taken: Counter[tuple[str, UUID]]) -> None:
        for kind, project, jobs in chosen:
            if taken[kind, project]:
                self._lines[kind].serve(project)
            if taken[kind, project] < jobs:
                self._lines[kind].remove(project)
