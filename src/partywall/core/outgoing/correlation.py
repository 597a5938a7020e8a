"""Sends the request id and trace with outgoing calls, so that other servers' logs can be matched with ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from opentelemetry import context, propagate
from structlog.contextvars import bound_contextvars, get_contextvars

from partywall.core.current_request import request_facts, request_traceparent

REQUEST_ID: Final = "x-request-id"
TRACEPARENT: Final = "traceparent"


@contextmanager
def correlated(*, request_id: str | None, traceparent: str | None) -> Iterator[None]:
    """Makes log lines and calls in the block belong to the request that caused this deferred work."""
    token = context.attach(propagate.extract({TRACEPARENT: traceparent} if traceparent else {}))
    try:
        with bound_contextvars(request_id=request_id):
            yield
    finally:
        context.detach(token)


def correlation_headers() -> dict[str, str]:
    """`X-Request-ID` and `traceparent` of the current request, or of the request that caused the current work."""
    headers: dict[str, str] = {}
    propagate.inject(headers)
    request_id = get_contextvars().get("request_id") or request_facts().get("request_id")
    if request_id:
        headers[REQUEST_ID] = str(request_id)
    traceparent = request_traceparent()
    if traceparent is not None:
        headers.setdefault(TRACEPARENT, traceparent)
    return headers
