from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bench.hostile.hostile import Hostile


@dataclass(frozen=True, slots=True)
class Attack:
    """One kind of hostile request. `point` is the kind of resource it attacks, a key of `POINTS`.

    `run` prepares, calls `begin` and sends until the time is over or all requests are sent. Attacks that fill queues
    get `weight` times the time.
    """

    name: str
    point: int
    sends: str
    run: Callable[[Hostile], Awaitable[None]]
    weight: int = 1


POINTS = {
    1: "Patterns and parsers",
    2: "Before the caller is known",
    3: "Shares of pools and slots",
    4: "Quotas",
    5: "Deletion of large things",
    6: "Approval",
    7: "Memory",
    8: "Lockout",
    9: "Tickets, webhooks, MCP",
}
