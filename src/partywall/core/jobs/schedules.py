"""The declaration of recurring work."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from partywall.core.lazy import Lazy, loaded
from partywall.core.resources import Resources

type Run = Callable[[Resources], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Schedule:
    """Recurring work, run by one worker at a time. `cron` is in UTC; a sixth field is for seconds.

    Schedules that begin at the same second each take a connection. Only workers import `code`.
    """

    name: str
    cron: str
    code: Run | Lazy[Run]

    @property
    def run(self) -> Run:
        return loaded(self.code)
