from __future__ import annotations

from partywall.core.errors import TooManyRequestsError, UnavailableError


class TooManyTicketsError(TooManyRequestsError):
    """Somebody asks for tickets faster than streams could be opened with them."""

    code = "too_many_tickets"
    title = "Too many tickets that were not used"

    def __init__(self, retry_after: int) -> None:
        super().__init__(retry_after, "Open streams with the tickets there are, or come back later.")


class TicketsUnavailableError(UnavailableError):
    """Tickets live in the cache alone, and it is away. A stream with a bearer token needs none."""

    code = "tickets_unavailable"
    title = "Tickets are not available right now"

    def __init__(self) -> None:
        super().__init__("The cache that holds tickets is away; try again.", headers={"Retry-After": "2"})
