"""Whose share of connections, threads and slots the current task uses."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Final


@dataclass(frozen=True, slots=True)
class Tenant:
    """An account, a project's worker or, without authentication (`known` is False), a network address.

    `background` work has no caller that could be told to send fewer requests.
    """

    name: str
    known: bool = True
    background: bool = False


# The server's own work: polling, schedules, signing keys.
SYSTEM: Final = Tenant("system", background=True)
_CURRENT: Final[ContextVar[Tenant]] = ContextVar("partywall_tenant", default=SYSTEM)

current_tenant = _CURRENT.get


def set_current_tenant(tenant: Tenant) -> None:
    """Applies to this task from now on, and to tasks that it starts."""
    _CURRENT.set(tenant)


def set_background_tenant(tenant: Tenant) -> None:
    set_current_tenant(replace(tenant, background=True))


def unauthenticated(address: str) -> Tenant:
    """The tenant of a client that has not authenticated yet."""
    return Tenant(f"address:{address}", known=False)
