"""A TCP proxy in front of PostgreSQL that passes connections on, refuses them or replies as another server would."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sqlalchemy import URL, make_url

_SSL_REQUEST: Final = 80877103


@dataclass(frozen=True, slots=True)
class Refusal:
    """The error with which a server or a pooler refuses a connection."""

    sqlstate: str = ""
    message: str = ""

    def packet(self) -> bytes:
        """Empty without an error: the connection is just closed."""
        if not self.sqlstate:
            return b""
        fields = b"".join(
            kind + value.encode() + b"\0"
            for kind, value in ((b"S", "FATAL"), (b"V", "FATAL"), (b"C", self.sqlstate), (b"M", self.message))
        )
        return b"E" + (len(fields) + 5).to_bytes(4) + fields + b"\0"


@dataclass(slots=True)
class PostgresProxy:
    """`shut` ends open connections; without `refusal` nobody listens any more, and the port stays reserved."""

    behind: URL
    port: int = 0
    # Bound but not listening: nobody else gets the port meanwhile.
    _kept: socket.socket = field(default_factory=socket.socket)
    _refusal: Refusal | None = None
    _server: asyncio.Server | None = None
    _through: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def url(self) -> str:
        proxied = self.behind.set(host="127.0.0.1", port=self.port, query={})
        return proxied.render_as_string(hide_password=False)

    async def open(self) -> None:
        self._refusal = None
        if self.port == 0:
            self._kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            self._kept.bind(("127.0.0.1", 0))
            self.port = self._kept.getsockname()[1]
        if self._server is None:
            self._server = await asyncio.start_server(self._meet, "127.0.0.1", self.port, reuse_port=True)

    async def shut(self, refusal: Refusal | None = None) -> None:
        await self.open()
        self._refusal = refusal
        if refusal is None and self._server is not None:
            self._server.close()
            self._server = None
        for each in [*self._through]:
            each.transport.abort()

    def close(self) -> None:
        self._kept.close()

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._through.add(writer)
        try:
            if self._refusal is not None:
                await self._refuse(self._refusal, reader, writer)
            else:
                await self._lead_on(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._through.discard(writer)
            writer.transport.abort()

    async def _refuse(self, refusal: Refusal, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while int.from_bytes((await _packet(reader))[:4]) == _SSL_REQUEST:
            writer.write(b"N")
        writer.write(refusal.packet())
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def _lead_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        directory = self.behind.query.get("host", self.behind.host)
        assert isinstance(directory, str)
        port = self.behind.port or self.behind.query.get("port", 5432)
        if directory.startswith("/"):
            back, forth = await asyncio.open_unix_connection(Path(directory, f".s.PGSQL.{port}"))
        else:
            back, forth = await asyncio.open_connection(directory, int(str(port)))
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_pour(reader, forth))
                group.create_task(_pour(back, writer))
        except* OSError:
            pass
        finally:
            forth.transport.abort()


async def _packet(reader: asyncio.StreamReader) -> bytes:
    size = int.from_bytes(await reader.readexactly(4))
    return await reader.readexactly(size - 4)


async def _pour(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while piece := await source.read(65536):
        target.write(piece)
        await target.drain()
    target.transport.abort()


@asynccontextmanager
async def proxy_to(url: str) -> AsyncIterator[PostgresProxy]:
    proxy = PostgresProxy(make_url(url))
    await proxy.open()
    try:
        yield proxy
    finally:
        await proxy.shut()
        proxy.close()
