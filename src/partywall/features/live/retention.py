from __future__ import annotations

from partywall.core.events.retention import prune, trim
from partywall.core.resources import Resources


async def prune_events(resources: Resources) -> None:
    """Events are kept for as long as the settings say."""
    await prune(resources.sessions, resources.settings.events.retention)


async def trim_events(resources: Resources) -> None:
    """A project has as many events as the settings say, however young they are."""
    limits = resources.settings.events
    await trim(resources.sessions, events=limits.per_project, size=limits.bytes_per_project)
