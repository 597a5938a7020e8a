"""What is said to a client before any application sees its request."""

from __future__ import annotations

from partywall.core.errors import BadRequestError, PartywallError, UnavailableError


class RequestTimeoutError(PartywallError):
    status = 408
    code = "request_timeout"
    title = "The request did not come in time"


class TooManyConnectionsError(UnavailableError):
    code = "too_many_connections"
    title = "There are too many connections"


class MalformedRequestError(BadRequestError):
    code = "malformed_request"
    title = "This is not HTTP as it is spoken here"

    def __init__(self) -> None:
        super().__init__("HTTP/1.1 is read, with a URL in ASCII: other characters and blanks are percent-encoded.")


class StoppingError(UnavailableError):
    def __init__(self) -> None:
        super().__init__("The server is stopping; try again.", headers={"Retry-After": "5"})


class UnservedError(Exception):
    """Raised into the parser, which stops: too many requests at once, or an unknown version."""
