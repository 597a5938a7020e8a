"""A client for event streams, as strict as the standard's parser."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypedDict
from uuid import UUID

import httpx2

MAX_WAIT = httpx2.Timeout(60.0)


class Body(TypedDict):
    id: int
    type: str
    project_id: str
    at: str
    actor: str
    subject: dict[str, str]
    data: dict[str, object]


@dataclass(frozen=True, slots=True)
class Received:
    id: int
    event: str
    data: Body


@dataclass(slots=True)
class Stream:
    """An open stream; iteration ends when the server closes it."""

    response: httpx2.Response
    comments: list[str] = field(default_factory=list)
    _events: AsyncIterator[Received] | None = None

    def __aiter__(self) -> AsyncIterator[Received]:
        if self._events is None:
            self._events = self._parse()
        return self._events

    async def next(self) -> Received:
        return await anext(aiter(self))

    async def take(self, count: int) -> list[Received]:
        return [await self.next() for _ in range(count)]

    async def rest(self) -> list[Received]:
        return [event async for event in self]

    async def _parse(self) -> AsyncIterator[Received]:
        fields: dict[str, str] = {}
        async for line in self.response.aiter_lines():
            if line.startswith(":"):
                self.comments.append(line[1:].strip())
            elif line:
                name, _, value = line.partition(":")
                assert name in ("id", "event", "data"), line
                assert name not in fields, f"{name} twice in one event"
                fields[name] = value.removeprefix(" ")
            elif fields:
                yield Received(int(fields["id"]), fields["event"], json.loads(fields["data"]))
                fields = {}
        assert not fields, "the stream ended inside an event"


@asynccontextmanager
async def follow(
    url: str, project: UUID, token: str | None = None, *, last_event_id: int | str | None = None, **params: str | int
) -> AsyncIterator[Stream]:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    if last_event_id is not None:
        headers["Last-Event-ID"] = str(last_event_id)
    async with (
        httpx2.AsyncClient(base_url=url, timeout=MAX_WAIT, headers=headers) as client,
        client.stream("GET", f"/api/v1/projects/{project}/events", params=params) as response,
    ):
        if response.status_code != 200:
            await response.aread()
        yield Stream(response)
