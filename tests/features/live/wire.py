"""A client that sends raw bytes, for input that no library would send."""

from __future__ import annotations

import asyncio
import base64
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast
from uuid import UUID

from websockets.frames import Close, Frame, Opcode

from tests.features.live.server import Serving


@dataclass(frozen=True, slots=True)
class Wire:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def send(self, content: bytes) -> None:
        self.writer.write(content)

    def read_no_more(self) -> None:
        cast("asyncio.Transport", self.writer.transport).pause_reading()

    async def insist(self, content: bytes, times: int) -> None:
        async with asyncio.timeout(60):
            for _ in range(times):
                self.writer.write(content)
                await self.writer.drain()

    async def until(self, end: bytes) -> bytes:
        async with asyncio.timeout(60):
            return await self.reader.readuntil(end)

    async def rest(self) -> bytes:
        """The remaining bytes until the server closes the connection."""
        async with asyncio.timeout(60):
            return await self.reader.read()


@asynccontextmanager
async def wired(serving: Serving, receive_buffer: int | None = None) -> AsyncIterator[Wire]:
    """A connection that the server may reset."""
    host, _, port = serving.url.removeprefix("http://").partition(":")
    connection = socket.socket()
    if receive_buffer is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.setblocking(False)
    await asyncio.get_running_loop().sock_connect(connection, (host, int(port)))
    reader, writer = await asyncio.open_connection(sock=connection)
    try:
        yield Wire(reader, writer)
    finally:
        writer.transport.abort()


def upgrade(project: UUID) -> bytes:
    key = base64.b64encode(bytes(16)).decode()
    return (
        f"GET /api/v1/projects/{project}/ws HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()


def stream(project: UUID, token: str) -> bytes:
    line = f"GET /api/v1/projects/{project}/events HTTP/1.1"
    return f"{line}\r\nHost: here\r\nAuthorization: Bearer {token}\r\n\r\n".encode()


def frame(opcode: Opcode, data: bytes = b"", *, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=True)


def closing(code: int, reason: str) -> bytes:
    """The server's close frame."""
    return Frame(Opcode.CLOSE, Close(code, reason).serialize()).serialize(mask=False)
