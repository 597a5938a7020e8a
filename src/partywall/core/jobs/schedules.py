from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from partywall.core.resources import Resources


@dataclass(frozen=True, slots=True)
class Schedule:
    """Recurring work, run by one worker at a time. `cron` is in UTC; a sixth field is for seconds."""

    name: str
    cron: str
    run: Callable[[Resources], Awaitable[None]]
