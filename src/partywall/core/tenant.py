"""For whom the current task works: whose share of connections, threads and slots it takes."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Tenant:
    """An account, a project's worker or, before anybody is `known`, a network address."""

    name: str
    known: bool = True


# What the program does for itself: polling, schedules, signing keys.
SYSTEM: Final = Tenant("system")
_CURRENT: Final[ContextVar[Tenant]] = ContextVar("partywall_tenant", default=SYSTEM)

current_tenant = _CURRENT.get


def work_for(tenant: Tenant) -> None:
    """From here on, in this task and those that it starts."""
    _CURRENT.set(tenant)


def stranger(address: str) -> Tenant:
    """Whoever has not authenticated yet."""
    return Tenant(f"address:{address}", known=False)
