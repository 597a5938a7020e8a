from __future__ import annotations

from partywall.core.events.retention import prune
from partywall.core.resources import Resources


async def prune_events(resources: Resources) -> None:
    """Events are kept for as long as the settings say."""
    await prune(resources.sessions, resources.settings.events.retention)
