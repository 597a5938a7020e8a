"""For whom the current task works: whose share of connections, threads and slots it takes."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Final


@dataclass(frozen=True, slots=True)
class Tenant:
    """An account, a project's worker or, before anybody is `known`, a network address.

    In the `background` nobody waits for an answer who could be told to ask for less.
    """

    name: str
    known: bool = True
    background: bool = False


# What the program does for itself: polling, schedules, signing keys.
SYSTEM: Final = Tenant("system", background=True)
_CURRENT: Final[ContextVar[Tenant]] = ContextVar("partywall_tenant", default=SYSTEM)

current_tenant = _CURRENT.get


def set_current_tenant(tenant: Tenant) -> None:
    """From here on, in this task and those that it starts."""
    _CURRENT.set(tenant)


def set_background_tenant(tenant: Tenant) -> None:
    set_current_tenant(replace(tenant, background=True))


def unauthenticated(address: str) -> Tenant:
    """Whoever has not authenticated yet."""
    return Tenant(f"address:{address}", known=False)
