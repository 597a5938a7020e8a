from __future__ import annotations

import structlog

from partywall.core.clock import utc_now
from partywall.core.resources import Resources
from partywall.features.api_keys.constants import KEPT_FOR
from partywall.features.api_keys.repository import KeysThatAreOver

log = structlog.get_logger(__name__)


async def prune_api_keys(resources: Resources) -> None:
    """Forgets the keys that have been revoked or expired for a good while."""
    async with resources.sessions.begin() as session:
        removed = await KeysThatAreOver(session).prune(utc_now() - KEPT_FOR)
    log.info("api_keys_pruned", removed=removed)
