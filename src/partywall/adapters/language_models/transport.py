"""What every request to a model passes through: as `core.outgoing.endpoints`, for the HTTP library of Pydantic AI."""

from __future__ import annotations

from typing import Final

import httpx2

from partywall.core.outgoing.cause import cause_headers
from partywall.core.outgoing.circuits import CircuitOpenError, Circuits
from partywall.core.outgoing.retrying import Faults, Retries, ask

# A model that was silent for the whole time is not asked again: that is for the fallbacks, or for the run's next turn.
_FAULTS: Final = Faults(
    all=(httpx2.NetworkError, httpx2.ProtocolError, httpx2.ConnectTimeout, httpx2.ReadTimeout, httpx2.WriteTimeout),
    repeated=(httpx2.NetworkError, httpx2.ProtocolError, httpx2.ConnectTimeout),
)


class ModelTransport(httpx2.AsyncBaseTransport):
    """Repeats requests that failed before the model said anything. Raises ConnectError while a server is left alone."""

    def __init__(self, inner: httpx2.AsyncBaseTransport, retries: Retries, circuits: Circuits) -> None:
        self._inner = inner
        self._retries = retries
        self._circuits = circuits

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        request.headers.update(cause_headers())
        circuit = self._circuits.of(f"{request.url.scheme}://{request.url.netloc.decode()}")
        try:
            return await ask(lambda: self._inner.handle_async_request(request), circuit, self._retries, _FAULTS)
        except CircuitOpenError as error:
            raise httpx2.ConnectError(str(error), request=request) from error

    async def aclose(self) -> None:
        await self._inner.aclose()
