"""What every request to a model passes through: a limit on failing servers, and the ids of what caused it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import httpx2
from opentelemetry import propagate
from structlog.contextvars import get_contextvars

FAILURES_UNTIL_OPEN: Final = 8
OPEN_SECONDS: Final = 10.0
# Passed on to the model's server, so that its log can be read beside ours.
REQUEST_ID: Final = "x-request-id"


@dataclass(slots=True)
class Circuit:
    """After so many failures in a row nobody asks for some seconds; then one may try."""

    clock: Callable[[], float] = time.monotonic
    failures: int = 0
    opens_again_at: float = field(default=0.0)

    def admits(self) -> bool:
        if self.failures < FAILURES_UNTIL_OPEN:
            return True
        now = self.clock()
        if now < self.opens_again_at:
            return False
        self.opens_again_at = now + OPEN_SECONDS
        return True

    def record(self, *, success: bool) -> None:
        self.failures = 0 if success else self.failures + 1
        if self.failures >= FAILURES_UNTIL_OPEN:
            self.opens_again_at = self.clock() + OPEN_SECONDS


class GuardedTransport(httpx2.AsyncBaseTransport):
    """Raises ConnectError without asking while a server's circuit is open. Retries are the provider's own."""

    def __init__(self, inner: httpx2.AsyncBaseTransport) -> None:
        self._inner = inner
        self._circuits: dict[str, Circuit] = {}

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        circuit = self._circuits.setdefault(f"{request.url.scheme}://{request.url.netloc.decode()}", Circuit())
        if not circuit.admits():
            raise httpx2.ConnectError("the model's server has failed too often; it is left alone for some seconds")
        _pass_on_ids(request)
        try:
            response = await self._inner.handle_async_request(request)
        except httpx2.TransportError:
            circuit.record(success=False)
            raise
        circuit.record(success=response.status_code < 500)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


def _pass_on_ids(request: httpx2.Request) -> None:
    headers: dict[str, str] = {}
    propagate.inject(headers)
    request_id = get_contextvars().get("request_id")
    if request_id:
        headers[REQUEST_ID] = str(request_id)
    request.headers.update(headers)
