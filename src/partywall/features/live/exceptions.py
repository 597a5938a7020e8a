from __future__ import annotations

from partywall.core.errors import TooManyRequestsError, UnavailableError


class TooManyTicketsError(TooManyRequestsError):
    """A client requests tickets faster than it opens streams with them."""

    code = "too_many_tickets"
    title = "Too many unused tickets"

    def __init__(self, retry_after: int) -> None:
        super().__init__(retry_after, "Open streams with the existing tickets, or try again later.")


class TicketsUnavailableError(UnavailableError):
    """Tickets exist only in the cache, which is unavailable. Streams with a bearer token still work."""

    code = "tickets_unavailable"
    title = "Tickets are not available right now"

    def __init__(self) -> None:
        super().__init__("The cache that stores tickets is unavailable. Try again.", headers={"Retry-After": "2"})
