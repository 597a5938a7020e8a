"""HTTP/1.1 on raw sockets, because client libraries refuse to send hostile requests."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

HEAD_END = b"\r\n\r\n"
PIECE = 256 * 1024
LARGEST_HEAD = 512 * 1024
HOST = "127.0.0.1"


class ClosedError(Exception):
    """The server closed the connection before a complete answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` is empty unless requested with `keep`."""

    status: int
    closing: bool
    body: bytes = b""


def request(
    method: str,
    path: str,
    *,
    token: str | None = None,
    body: object = None,
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """An HTTP request; `body` is sent as JSON unless it is bytes."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
    if token is not None:
        lines.append(f"Authorization: Bearer {token}")
    given = dict(headers or {})
    content = b""
    if body is not None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        given.setdefault("Content-Type", "application/json")
        given.setdefault("Content-Length", str(len(content)))
    lines += [f"{name}: {value}" for name, value in given.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + content


def multipart(
    path: str, token: str | None, content: bytes, *, name: str = "a.html", headers: Mapping[str, str] | None = None
) -> bytes:
    """An upload of one file."""
    boundary = "----hostile"
    media = "text/html" if name.endswith(".html") else "text/plain"
    part = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: {media}\r\n'
    )
    body = part.encode() + b"\r\n" + content + f"\r\n--{boundary}--\r\n".encode()
    given = {"Content-Type": f"multipart/form-data; boundary={boundary}", **(headers or {})}
    return request("POST", path, token=token, body=body, headers=given)


class Connection:
    """One connection; `source` is the address that the server sees."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, port: int, source: str, *, receive_buffer: int | None = None) -> Connection:
        """With a small `receive_buffer`, the server notices at once that the client does not read."""
        if receive_buffer is None:
            opened = await asyncio.open_connection(HOST, port, local_addr=(source, 0), limit=LARGEST_HEAD)
            return cls(*opened)
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        raw.setblocking(False)
        raw.bind((source, 0))
        await asyncio.get_running_loop().sock_connect(raw, (HOST, port))
        return cls(*await asyncio.open_connection(sock=raw, limit=receive_buffer))

    def close(self) -> None:
        self.writer.transport.abort()

    async def ask(self, data: bytes, *, keep: bool = False) -> Answer:
        """Sends until there is an answer, and returns it. Raises ClosedError if there is none."""
        sending = asyncio.create_task(self.send(data))
        try:
            return await self.read_answer(headless=data.startswith(b"HEAD "), keep=keep)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError, ValueError) as error:
            raise ClosedError from error
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    async def send(self, data: bytes) -> None:
        with suppress(OSError):  # the answer shows the failure
            for start in range(0, len(data), PIECE):
                self.writer.write(data[start : start + PIECE])
                await self.writer.drain()

    async def read_head(self) -> tuple[int, bytes]:
        while True:
            head = (await self.reader.readuntil(HEAD_END)).lower()
            status = int(head[9:12])
            if status != 100:
                return status, head

    async def read_answer(self, *, headless: bool = False, keep: bool = False) -> Answer:
        status, head = await self.read_head()
        body = b""
        if b"transfer-encoding: chunked" in head:
            body = await self._read_chunks(keep=keep)
        elif not headless and status not in (204, 304):
            body = await self._read_bytes(_length_in(head), keep=keep)
        return Answer(status, b"connection: close" in head, body)

    async def _read_bytes(self, length: int, *, keep: bool) -> bytes:
        if keep:
            return await self.reader.readexactly(length)
        while length:
            got = len(await self.reader.read(min(length, PIECE)))
            if not got:
                raise ClosedError
            length -= got
        return b""

    async def _read_chunks(self, *, keep: bool) -> bytes:
        parts: list[bytes] = []
        while size := int(await self.reader.readline(), 16):
            parts.append(await self._read_bytes(size, keep=keep))
            await self.reader.readline()
        await self.reader.readline()
        return b"".join(parts)


def _length_in(head: bytes) -> int:
    start = head.find(b"content-length:")
    return 0 if start < 0 else int(head[start + 15 : head.find(b"\r\n", start)])
