"""The memory that a process holds for each idle client; there may be thousands."""

from __future__ import annotations

import asyncio
import gc
import json
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from types import CoroutineType

import pytest
from starlette.requests import Request

from partywall.core.events.frames import OPENING
from partywall.core.http.connections import Http
from partywall.core.http.event_stream import EventStream
from partywall.settings import Settings
from partywall.testing.conditions import until
from partywall.testing.users import Users
from tests.core.http.bytes import answer_on, head
from tests.features.live.server import Serving, serve
from tests.features.live.wire import Wire, stream, wired

CLIENTS = 20
COUNTED = (CoroutineType, asyncio.Task, deque, AsyncExitStack, Request, EventStream)


def held() -> Counter[type]:
    gc.collect()
    return Counter(kind for each in gc.get_objects() for kind in COUNTED if isinstance(each, kind))


@asynccontextmanager
async def clients(server: Serving) -> AsyncIterator[list[Wire]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(wired(server)) for _ in range(CLIENTS)]


async def test_an_open_stream_holds_nothing_of_its_request(users: Users, server: Serving) -> None:
    owner = await users.person()
    opening = stream(await owner.project(), owner.token)
    async with clients(server) as wires:
        before = held()
        for wire in wires:
            wire.send(opening)
            await wire.until(OPENING)
        added = held() - before
    assert added[Request] == added[EventStream] == 0
    assert added[AsyncExitStack] < CLIENTS
    assert added[asyncio.Task] < 2 * CLIENTS, "one task to send, none to wait for a disconnect"
    assert added[CoroutineType] < 7 * CLIENTS, "only coroutines of the server and the stream, none of the layers above"
    assert added[deque] < 2 * CLIENTS, "one deque is as large as all other objects of a stream"


async def test_an_idle_connection_allocates_no_event_and_no_deque(server: Serving) -> None:
    """An Event and a deque each would be a third of its memory."""
    async with wired(server) as wire:
        wire.send(head("GET", "/healthz"))
        await answer_on(wire)
        [connection] = server.server.server_state.connections
        assert isinstance(connection, Http)
        kept = [*vars(connection).values(), *vars(connection.flow).values()]
        assert [each for each in kept if isinstance(each, deque | asyncio.Event)] == []


async def test_the_log_has_one_line_of_a_stream_when_it_ends(
    users: Users, live_settings: Settings, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    owner = await users.person()
    project = await owner.project()
    log = live_settings.log.model_copy(update={"format": "json"})
    written = b""

    def lines() -> list[dict[str, object]]:
        nonlocal written
        written += capfdbinary.readouterr().out
        return [json.loads(line) for line in written.splitlines() if b"/events" in line]

    async with serve(live_settings.model_copy(update={"log": log})) as logging:
        async with wired(logging) as wire:
            wire.send(stream(project, owner.token))
            await wire.until(OPENING)
            assert lines() == []
        await until(lambda: len(lines()) == 1)
        await until(lambda: logging.resources.tailers.followed == 0)
    [line] = lines()
    assert (line["method"], line["status"], line["project_id"]) == ("GET", 200, str(project))
    assert line["path"] == f"/api/v1/projects/{project}/events"
    assert line["principal"] == str(owner.principal)
    assert line["request_id"]
    assert owner.token.encode() not in written
