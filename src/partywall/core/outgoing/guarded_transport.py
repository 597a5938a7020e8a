"""Calls to addresses given by users. The name is resolved once, here, so the validated IP address is the one used."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Self

import httpcore2
import httpx2

from partywall.core.outgoing.cookies import no_cookies
from partywall.core.outgoing.destinations import Destinations, RefusedDestinationError
from partywall.core.outgoing.endpoints import Tls, shared_tls
from partywall.core.outgoing.resolver import Resolve

CONNECTIONS: Final = 200
# How many addresses of a name are tried.
_TRIED: Final = 4
_LOOK_UP_SECONDS: Final = 5.0
# Names with more addresses are refused, because all are validated.
_MOST_ADDRESSES: Final = 100
# The same text for unknown and for internal names, so that names of a private network cannot be probed.
NOT_CALLED: Final = "The name cannot be resolved, or resolves to a network that is not allowed"


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Resolves the name, validates all its addresses, and connects to one of them.

    TLS and the `Host` header use the name of the request unchanged.
    """

    def __init__(self, destinations: Destinations, resolve: Resolve) -> None:
        self._destinations = destinations
        self._resolve = resolve
        self._network = httpcore2.AnyIOBackend()

    async def addresses(self, host: str, port: int) -> list[str]:
        """The addresses of the name. Raises RefusedDestinationError if one is not allowed, httpcore2.ConnectError."""
        try:
            async with asyncio.timeout(_LOOK_UP_SECONDS):
                found = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore2.ConnectError("the name cannot be resolved") from error
        if not found:
            raise httpcore2.ConnectError("the name cannot be resolved")
        if len(found) > _MOST_ADDRESSES or not all(self._destinations.admits(address) for address in found):
            raise RefusedDestinationError(NOT_CALLED)
        return found

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface's own
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        *others, last = (await self.addresses(host, port))[:_TRIED]
        for address in others:
            try:
                return await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                continue
        return await self._network.connect_tcp(last, port, timeout, local_address, socket_options)

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109, ARG002 - the interface's own
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,  # noqa: ARG002 - as above
    ) -> httpcore2.AsyncNetworkStream:
        raise RefusedDestinationError(f"{path} is not a network address")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _Body(httpx2.AsyncByteStream):
    def __init__(self, stream: AsyncIterator[bytes], response: httpcore2.Response) -> None:
        self._stream = stream
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _as_httpx():
            async for part in self._stream:
                yield part

    async def aclose(self) -> None:
        with _as_httpx():
            await self._response.aclose()


class GuardedTransport(httpx2.AsyncBaseTransport):
    """Validates the destination of every request, redirects included. No connection outlives its answer."""

    def __init__(self, destinations: Destinations, resolve: Resolve, tls: Tls) -> None:
        self._destinations = destinations
        self._backend = GuardedBackend(destinations, resolve)
        self._tls = tls

    @cached_property
    def _pool(self) -> httpcore2.AsyncConnectionPool:
        return httpcore2.AsyncConnectionPool(
            ssl_context=self._tls(), max_connections=CONNECTIONS, max_keepalive_connections=0, http2=False, retries=0,
            network_backend=self._backend,
        )  # fmt: skip

    async def validate(self, text: str) -> None:
        """Raises RefusedDestinationError if the address is not allowed or its name cannot be resolved."""
        url = self._destinations.parse(text)
        try:
            await self._backend.addresses(url.raw_host.decode("ascii"), url.port or 0)
        except (httpcore2.ConnectError, TimeoutError) as error:
            raise RefusedDestinationError(NOT_CALLED) from error

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self._destinations.check(request.url)
        url = httpcore2.URL(
            scheme=request.url.raw_scheme, host=request.url.raw_host, port=request.url.port,
            target=request.url.raw_path,
        )  # fmt: skip
        if "_pool" not in self.__dict__:
            await asyncio.to_thread(self._tls)  # reads the authorities for tens of milliseconds, and keeps them
        with _as_httpx():
            answer = await self._pool.handle_async_request(
                httpcore2.Request(
                    request.method, url, headers=request.headers.raw, content=request.stream,
                    extensions=request.extensions,
                )
            )  # fmt: skip
        return httpx2.Response(
            answer.status, headers=answer.headers, stream=_Body(answer.aiter_stream(), answer),
            extensions=answer.extensions,
        )  # fmt: skip

    async def aclose(self) -> None:
        if "_pool" in self.__dict__:
            await self._pool.aclose()


@dataclass(frozen=True, slots=True)
class Outgoing:
    """`client` follows no redirects, keeps no cookies and uses no proxy; `validate` checks what it may call."""

    client: httpx2.AsyncClient
    transport: GuardedTransport

    @classmethod
    def open(cls, destinations: Destinations, resolve: Resolve, tls: Tls | None = None) -> Self:
        transport = GuardedTransport(destinations, resolve, tls or shared_tls(None))
        cookies = no_cookies()
        client = httpx2.AsyncClient(transport=transport, trust_env=False, follow_redirects=False, cookies=cookies)
        return cls(client, transport)

    async def validate(self, url: str) -> None:
        """Raises RefusedDestinationError if the address is not allowed or its name cannot be resolved."""
        await self.transport.validate(url)


@contextmanager
def _as_httpx() -> Iterator[None]:
    """Translates httpcore2's errors into those of httpx2, which the client's callers expect."""
    try:
        yield
    except httpcore2.TimeoutException as error:
        raise httpx2.TimeoutException(str(error)) from error
    except httpcore2.ProtocolError as error:
        raise httpx2.ProtocolError(str(error)) from error
    except (httpcore2.NetworkError, httpcore2.UnsupportedProtocol) as error:
        raise httpx2.NetworkError(str(error)) from error
