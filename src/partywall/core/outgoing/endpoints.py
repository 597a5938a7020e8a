"""Calls to servers in the settings. For addresses given by users, see `guarded_transport`."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

import httpx2

from partywall.core.outgoing.circuits import CircuitOpenError, Circuits
from partywall.core.outgoing.cookies import no_cookies
from partywall.core.outgoing.correlation import correlation_headers
from partywall.core.outgoing.retries import RETRIED, Faults, Retries, ask, note_asked

CONNECTIONS: Final = 50
KEPT_ALIVE: Final = 10
TIMEOUT: Final = httpx2.Timeout(30.0, connect=5.0)
# A request's own limit on retries, in its `extensions`.
RETRIES: Final = "partywall.retries"

# A read timeout is not repeated: it would time out again. A full pool is not the server's failure.
_FAULTS: Final = Faults(
    all=(httpx2.NetworkError, httpx2.ProtocolError, httpx2.ConnectTimeout, httpx2.ReadTimeout, httpx2.WriteTimeout),
    repeated=(httpx2.NetworkError, httpx2.ProtocolError, httpx2.ConnectTimeout),
    unreached=(httpx2.ConnectError, httpx2.ConnectTimeout),
)


type Tls = Callable[[], ssl.SSLContext]
"""The context of outgoing connections, made with the first one: the public authorities take 1 MB."""


class CircuitOpenConnectError(httpx2.ConnectError):
    """The server was not called because it has failed too often, for this tenant or (`by_all`) for all."""

    def __init__(self, error: CircuitOpenError, request: httpx2.Request) -> None:
        super().__init__(str(error), request=request)
        self.after = error.after
        self.by_all = error.by_all


class EndpointTransport(httpx2.AsyncBaseTransport):
    """Retries temporary failures, opens circuits of failing servers, and sends the correlation headers."""

    def __init__(self, inner: httpx2.AsyncBaseTransport, retries: Retries, circuits: Circuits) -> None:
        self._inner = inner
        self._retries = retries
        self._circuits = circuits

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        request.headers.update(correlation_headers())
        circuit = self._circuits.of(f"{request.url.scheme}://{request.url.netloc.decode()}")
        most = request.extensions.get(RETRIES, self._retries.most)
        retries = Retries(most, self._retries.first, self._retries.longest)
        try:
            return await ask(lambda: self._send(request), circuit, retries, _FAULTS)
        except CircuitOpenError as error:
            raise CircuitOpenConnectError(error, request) from error

    async def _send(self, request: httpx2.Request) -> httpx2.Response:
        response = await self._inner.handle_async_request(request)
        if response.status_code in RETRIED:
            note_asked(response.headers, await response.aread())
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """Trusts the public authorities and those in the file. Raises OSError if the file cannot be read."""
    context = httpx2.create_ssl_context()
    if ca_file is not None:
        context.load_verify_locations(cafile=str(ca_file))
    return context


def shared_tls(ca_file: Path | None) -> Tls:
    return cache(lambda: tls_context(ca_file))


def open_endpoint_client(retries: Retries, tls: ssl.SSLContext) -> httpx2.AsyncClient:
    """A client for idempotent requests: any of them may be retried. It uses no proxy and follows no redirect."""
    limits = httpx2.Limits(max_connections=CONNECTIONS, max_keepalive_connections=KEPT_ALIVE)
    inner = httpx2.AsyncHTTPTransport(verify=tls, limits=limits, trust_env=False)
    transport = EndpointTransport(inner, retries, Circuits())
    return httpx2.AsyncClient(
        transport=transport, timeout=TIMEOUT, trust_env=False, follow_redirects=False, cookies=no_cookies()
    )
