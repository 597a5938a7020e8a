from __future__ import annotations

import structlog

from partywall.core.clock import utc_now
from partywall.core.resources import Resources
from partywall.features.accounts.failure_repository import FailureCounter
from partywall.features.accounts.known_networks import KnownNetworks
from partywall.features.accounts.registration_repository import RegistrationDoor

log = structlog.get_logger(__name__)


async def prune_registrations(resources: Resources) -> None:
    """The hash of a password is not kept for longer than it can be confirmed."""
    async with resources.sessions.begin() as session:
        removed = await RegistrationDoor(session).prune()
    if removed:
        log.info("registrations_pruned", registrations=removed)


async def prune_login_counters(resources: Resources) -> None:
    """What no longer counts, and networks that nobody has come from for long."""
    now, settings = utc_now(), resources.settings.accounts
    async with resources.sessions.begin() as session:
        await FailureCounter(session).prune_all(now - settings.lockout)
    async with resources.sessions.begin() as session:
        await KnownNetworks(session).prune(now - settings.known_network_retention)
