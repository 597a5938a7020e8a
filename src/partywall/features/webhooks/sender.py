"""One attempt over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import httpx2
import structlog

from partywall.core.outgoing.destinations import RefusedDestinationError
from partywall.core.outgoing.retries import seconds_asked
from partywall.features.webhooks.constants import ASKING, LONGEST_ASKED
from partywall.features.webhooks.retry_policy import Outcome

log = structlog.get_logger(__name__)

USER_AGENT: Final = "Partywall-Webhooks/1"
# The same error for every failure without an answer (refused, timeout, TLS, DNS): a precise one would let users scan
# foreign networks. The log has the reason. All take the whole timeout, because deliveries show when attempts end.
NOT_DELIVERED: Final = "could not be delivered"
# Per address of a name, which leaves time for the next address.
CONNECT_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class OutgoingRequest:
    """One HTTP request to a receiver."""

    url: str
    headers: Mapping[str, str]
    body: str


async def send(client: httpx2.AsyncClient, outgoing_request: OutgoingRequest, timeout: timedelta) -> Outcome:  # noqa: ASYNC109 - for all of it
    """Any 2xx is success. Reads only the status and `Retry-After`, never the body."""
    headers = {**outgoing_request.headers, "Content-Type": "application/json", "User-Agent": USER_AGENT}
    seconds = timeout.total_seconds()
    # The timeout for each step; `timeout_at` limits the whole attempt.
    steps = httpx2.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS))
    ends = asyncio.get_running_loop().time() + seconds
    content = outgoing_request.body.encode()
    try:
        async with (
            asyncio.timeout_at(ends),
            client.stream("POST", outgoing_request.url, headers=headers, content=content, timeout=steps) as answer,
        ):
            status, asked = answer.status_code, _asked(answer)
    except (RefusedDestinationError, TimeoutError, httpx2.HTTPError, httpx2.InvalidURL) as error:
        log.info("webhook_not_delivered", reason=str(error)[:200], error=type(error).__name__)
        await asyncio.sleep(ends - asyncio.get_running_loop().time())
        return Outcome(None, NOT_DELIVERED)
    return Outcome(status, _fault(status), asked)


def _asked(answer: httpx2.Response) -> timedelta | None:
    if answer.status_code not in ASKING:
        return None
    seconds = seconds_asked(answer.headers)
    return None if seconds is None else timedelta(seconds=min(seconds, LONGEST_ASKED.total_seconds()))


def _fault(status: int) -> str | None:
    if 200 <= status < 300:
        return None
    return f"answered {status}" + (", and redirects are not followed" if 300 <= status < 400 else "")
