from __future__ import annotations

import structlog

from partywall.core.resources import Resources
from partywall.features.accounts.registration_repository import RegistrationDoor

log = structlog.get_logger(__name__)


async def prune_registrations(resources: Resources) -> None:
    """The hash of a password is not kept for longer than it can be confirmed."""
    async with resources.sessions.begin() as session:
        removed = await RegistrationDoor(session).prune()
    if removed:
        log.info("registrations_pruned", registrations=removed)
