"""Errors of requests that never reach the application."""

from __future__ import annotations

from partywall.core.errors import BadRequestError, PartywallError, UnavailableError


class RequestTimeoutError(PartywallError):
    status = 408
    code = "request_timeout"
    title = "The request did not arrive in time"


class TooManyConnectionsError(UnavailableError):
    code = "too_many_connections"
    title = "There are too many connections"


class MalformedRequestError(BadRequestError):
    code = "malformed_request"
    title = "The request is not valid HTTP"

    def __init__(self) -> None:
        super().__init__("Send HTTP/1.1, with a URL in ASCII; percent-encode other characters and spaces.")


class StoppingError(UnavailableError):
    def __init__(self) -> None:
        super().__init__("The server is stopping; try again.", headers={"Retry-After": "5"})


class UnservedError(Exception):
    """Stops the parser: too many pipelined requests, or an unknown version."""
