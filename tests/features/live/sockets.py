"""A client for event sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast
from uuid import UUID

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin

from partywall.testing.users import Person
from tests.features.live.sse import Body

MAX_WAIT = 60.0


@dataclass(frozen=True, slots=True)
class Socket:
    connection: ClientConnection

    async def send(self, message: object) -> None:
        """Sends text and bytes unchanged, anything else as JSON."""
        await self.connection.send(message if isinstance(message, str | bytes) else json.dumps(message))

    async def next(self) -> Body:
        async with asyncio.timeout(MAX_WAIT):
            message = await self.connection.recv()
        assert isinstance(message, str)
        return cast("Body", json.loads(message))

    async def take(self, count: int) -> list[Body]:
        return [await self.next() for _ in range(count)]

    async def rest(self) -> list[Body]:
        """The remaining messages until the server closes."""
        found: list[Body] = []
        try:
            while True:
                found.append(await self.next())
        except ConnectionClosed:
            return found

    async def closed(self) -> tuple[int | None, str | None]:
        await self.rest()
        return self.connection.close_code, self.connection.close_reason


def address(url: str, project: UUID | str) -> str:
    return f"{url.replace('http', 'ws', 1)}/api/v1/projects/{project}/ws"


@asynccontextmanager
async def opened(
    url: str, project: UUID, first: object = None, *, origin: str | None = None, queue: int = 16
) -> AsyncIterator[Socket]:
    """Opens a socket and sends `first` unless it is None."""
    async with connect(
        address(url, project),
        origin=None if origin is None else Origin(origin),
        proxy=None,
        max_queue=queue,
        close_timeout=1,
    ) as connection:
        socket = Socket(connection)
        if first is not None:
            await socket.send(first)
        yield socket


def greeting(person: Person, **more: object) -> dict[str, object]:
    return {"token": person.token, **more}


async def refusal(url: str, **options: object) -> tuple[int, str]:
    """The status and problem code of a refused handshake."""
    with pytest.raises(InvalidStatus) as caught:
        async with connect(url, proxy=None, **options):  # type: ignore[arg-type]  # options of the library's own
            pass
    response = caught.value.response
    assert response.headers["content-type"] == "application/problem+json"
    body = json.loads(response.body or b"{}")
    assert response.headers["x-request-id"] == body["request_id"]
    return response.status_code, body["code"]
