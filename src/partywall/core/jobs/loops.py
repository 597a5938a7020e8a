"""The type of a worker's endless work beside jobs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from partywall.core.resources import Resources

# Runs as long as its worker; ends by itself soon after the event is set.
type Loop = Callable[[Resources, asyncio.Event], Awaitable[None]]
