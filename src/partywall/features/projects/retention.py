from __future__ import annotations

import structlog

from partywall.core.resources import Resources
from partywall.features.projects.invitation_repository import ExpiredInvitations

log = structlog.get_logger(__name__)


async def prune_invitations(resources: Resources) -> None:
    """An address is not kept for longer than its invitation is good."""
    async with resources.sessions.begin() as session:
        removed = await ExpiredInvitations(session).prune()
    if removed:
        log.info("invitations_pruned", invitations=removed)
