from __future__ import annotations

import asyncio
from dataclasses import dataclass

import httpx2

from partywall.adapters.oidc.bounded_transport import BoundedTransport
from partywall.core.outgoing.cookies import no_cookies
from partywall.core.outgoing.destinations import RefusedDestinationError
from partywall.core.security.remote_keys import KeyFetchError


@dataclass(frozen=True, slots=True)
class KeyClient:
    """Fetches the keys that an issuer publishes at `url`."""

    transport: httpx2.AsyncBaseTransport
    url: str
    seconds: float

    async def fetch(self) -> bytes:
        """Raises KeyFetchError."""
        client = httpx2.AsyncClient(
            transport=BoundedTransport(self.transport), trust_env=False, follow_redirects=False, cookies=no_cookies(),
            timeout=self.seconds,
        )  # fmt: skip
        try:
            async with asyncio.timeout(self.seconds):
                answer = await client.get(self.url)
        except (httpx2.HTTPError, RefusedDestinationError, TimeoutError, OSError) as error:
            raise KeyFetchError("the issuer does not answer") from error
        if answer.status_code != httpx2.codes.OK:
            raise KeyFetchError(f"the issuer answered {answer.status_code}")
        return answer.content
