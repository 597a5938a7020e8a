from __future__ import annotations

from partywall.core.events.retention import prune, trim
from partywall.core.resources import Resources


async def prune_events(resources: Resources) -> None:
    """Delete events older than the configured retention."""
    await prune(resources.sessions, resources.settings.events.retention)


async def trim_events(resources: Resources) -> None:
    """Delete each project's oldest events beyond the configured number or size, whatever their age."""
    limits = resources.settings.events
    await trim(resources.sessions, events=limits.per_project, size=limits.bytes_per_project)
