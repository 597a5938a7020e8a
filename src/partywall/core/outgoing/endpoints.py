"""Calls to servers that the settings name. Those that users name are called through `guarded`."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Final

import httpx

from partywall.core.outgoing.cause import cause_headers
from partywall.core.outgoing.circuits import CircuitOpenError, Circuits
from partywall.core.outgoing.cookies import no_cookies
from partywall.core.outgoing.retrying import Faults, Retries, ask

CONNECTIONS: Final = 50
KEPT_ALIVE: Final = 10
TIMEOUT: Final = httpx.Timeout(30.0, connect=5.0)
# A call's own limit on further attempts, in `extensions`.
RETRIES: Final = "partywall.retries"

# Whoever was silent for the whole time would be again. That the pool is full says nothing of the server.
_FAULTS: Final = Faults(
    all=(httpx.NetworkError, httpx.ProtocolError, httpx.ConnectTimeout, httpx.ReadTimeout, httpx.WriteTimeout),
    repeated=(httpx.NetworkError, httpx.ProtocolError, httpx.ConnectTimeout),
)


class LeftAloneError(httpx.ConnectError):
    """The server has failed too often, and was not asked."""


class EndpointTransport(httpx.AsyncBaseTransport):
    """Repeats what may pass, leaves failing servers alone, and says what caused the call."""

    def __init__(self, inner: httpx.AsyncBaseTransport, retries: Retries, circuits: Circuits) -> None:
        self._inner = inner
        self._retries = retries
        self._circuits = circuits

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.headers.update(cause_headers())
        circuit = self._circuits.of(f"{request.url.scheme}://{request.url.netloc.decode()}")
        most = request.extensions.get(RETRIES, self._retries.most)
        retries = Retries(most, self._retries.first, self._retries.longest)
        try:
            return await ask(lambda: self._inner.handle_async_request(request), circuit, retries, _FAULTS)
        except CircuitOpenError as error:
            raise LeftAloneError(str(error), request=request) from error

    async def aclose(self) -> None:
        await self._inner.aclose()


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """The public authorities, and beside them those of the file; raises OSError where it cannot be read."""
    context = httpx.create_ssl_context()
    if ca_file is not None:
        context.load_verify_locations(cafile=str(ca_file))
    return context


def open_endpoint_client(retries: Retries, tls: ssl.SSLContext) -> httpx.AsyncClient:
    """For questions alone: whatever is asked through it may be repeated. Knows no proxy and follows no redirect."""
    limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=KEPT_ALIVE)
    inner = httpx.AsyncHTTPTransport(verify=tls, limits=limits, trust_env=False)
    transport = EndpointTransport(inner, retries, Circuits())
    return httpx.AsyncClient(
        transport=transport, timeout=TIMEOUT, trust_env=False, follow_redirects=False, cookies=no_cookies()
    )
