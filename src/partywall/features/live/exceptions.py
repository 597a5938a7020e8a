from __future__ import annotations

from partywall.core.errors import UnavailableError


class TicketsUnavailableError(UnavailableError):
    """Tickets live in the cache alone, and it is away. A stream with a bearer token needs none."""

    code = "tickets_unavailable"
    title = "Tickets are not available right now"

    def __init__(self) -> None:
        super().__init__("The cache that holds tickets is away; try again.", headers={"Retry-After": "2"})
