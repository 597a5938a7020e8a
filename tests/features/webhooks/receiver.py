"""A webhook receiver: an HTTP server on loopback with scripted answers."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

from standardwebhooks import Webhook

from partywall.core.clock import utc_now

type Answer = Callable[[Arrived], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class Arrived:
    """A received request."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: datetime

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def event(self) -> dict[str, object]:
        found: dict[str, object] = json.loads(self.body)
        return found

    @property
    def number(self) -> int:
        """The number of the event in its project."""
        return int(str(self.event["id"]))

    def verify(self, secret: str) -> None:
        """Verifies the signature; raises WebhookVerificationError."""
        Webhook(secret).verify(self.body, self.headers)


def status(code: int, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {code} Whatever", "Content-Length: 2", *headers, "", "ok"]
    return "\r\n".join(lines).encode()


@dataclass
class Receiver:
    """Answers with `codes` in turn and repeats the last one; `answer` overrides them."""

    port: int = 0
    codes: list[int] = field(default_factory=lambda: [204])
    answer: Answer | None = None
    arrived: list[Arrived] = field(default_factory=list)
    open: int = 0
    most_open: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def types(self) -> list[object]:
        return [each.event["type"] for each in self.arrived]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            arrived = await _read(reader)
            self.arrived.append(arrived)
            writer.write(await self._answer(arrived))
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.open -= 1
            writer.close()

    async def _answer(self, arrived: Arrived) -> bytes:
        if self.answer is not None:
            return await self.answer(arrived)
        return status(self.codes.pop(0) if len(self.codes) > 1 else self.codes[0])


async def _read(reader: asyncio.StreamReader) -> Arrived:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Arrived(first.split()[1], headers, body, utc_now())


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()


def in_order(arrived: Sequence[Arrived]) -> bool:
    return all(before.number < after.number for before, after in itertools.pairwise(arrived))
