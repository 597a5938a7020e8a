"""Limits on open streams for each caller, address and process, and slow readers."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from partywall.core.concurrency_limiter import ConcurrencyLimiter
from partywall.core.events import subscription as feeds
from partywall.core.http import connections
from partywall.core.resources import Resources
from partywall.settings import Settings
from partywall.testing.conditions import until
from partywall.testing.users import Users
from tests.features.live.event_writer import write
from tests.features.live.server import Serving, serve
from tests.features.live.sockets import address, greeting, opened
from tests.features.live.sse import follow

# A few events of this size fill every buffer between server and client.
LARGE = 400_000


@pytest.fixture(scope="module")
async def narrow(live_settings: Settings) -> AsyncIterator[Serving]:
    """Nine streams in total, three for a project, two for a caller, and short timeouts."""
    update = {"connections": 9, "connections_per_principal": 2, "send_timeout": timedelta(milliseconds=500)}
    events = live_settings.events.model_copy(update=update)
    async with serve(live_settings.model_copy(update={"events": events})) as serving:
        yield serving


def test_places_are_counted_for_all_and_for_each() -> None:
    slots = ConcurrencyLimiter[str](total=3, each=2)
    assert [slots.take(key) for key in "aaabb"] == [True, True, False, True, False]
    slots.release("a")
    assert [slots.take(key) for key in "ba"] == [True, False]
    for key in "abb":
        slots.release(key)
    assert (slots.taken, slots.take("c")) == (0, True)


async def test_a_caller_has_so_many_streams_and_sockets(users: Users, narrow: Serving) -> None:
    owner, other = await users.person(), await users.person()
    project = await owner.project()
    await users.join(project, other, "viewer")
    async with (
        follow(narrow.url, project, owner.token, after=0) as stream,
        opened(narrow.url, project, greeting(owner, after=0)) as socket,
    ):
        assert (await stream.next()).id == (await socket.next())["id"] == 1
        async with follow(narrow.url, project, owner.token) as refused:
            assert refused.response.status_code == 429
            assert refused.response.json()["code"] == "too_many_streams"
            assert int(refused.response.headers["retry-after"]) > 0
        async with opened(narrow.url, project, greeting(owner)) as closed:
            assert await closed.closed() == (4429, "too_many_streams")
        async with opened(narrow.url, project, greeting(other, after=0)) as third:
            assert (await third.next())["id"] == 1
            async with follow(narrow.url, project, other.token) as full:
                assert full.response.status_code == 429, "a third of the streams is the project's limit"


async def test_who_leaves_or_is_refused_gives_the_place_back(users: Users, narrow: Serving) -> None:
    owner, outsider = await users.person(), await users.person()
    project = await owner.project()
    for _ in range(5):
        async with follow(narrow.url, project, outsider.token) as unknown:
            assert unknown.response.status_code == 404
        async with opened(narrow.url, project, greeting(outsider)) as unknown_too:
            assert (await unknown_too.closed())[0] == 4404
    await until(lambda: narrow.resources.tailers.followed == 0)
    for _ in range(5):
        async with opened(narrow.url, project, greeting(owner, after=0)) as again:
            assert (await again.next())["id"] == 1


async def test_sockets_without_a_credential_have_few_places(
    users: Users, narrow: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = await users.person()
    project = await owner.project()
    handshakes = ConcurrencyLimiter[str](total=3, each=2)
    monkeypatch.setattr(type(narrow.resources), "handshakes", handshakes)
    async with AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(opened(narrow.url, project))
        with pytest.raises(InvalidStatus) as caught:
            await stack.enter_async_context(connect(address(narrow.url, project), proxy=None))
        assert caught.value.response.status_code == 429
        assert json.loads(caught.value.response.body or b"")["code"] == "too_many_handshakes"
    await until(lambda: handshakes.taken == 0)
    async with opened(narrow.url, project, greeting(owner, after=0)) as served:
        assert (await served.next())["id"] == 1
        assert handshakes.taken == 0


async def test_who_does_not_read_is_dropped_and_can_learn_why(
    users: Users, narrow: Serving, resources: Resources
) -> None:
    owner = await users.person()
    project = await owner.project()
    async with (
        opened(narrow.url, project, greeting(owner, after=0), queue=1) as slow,
        opened(narrow.url, project, greeting(owner, after=0)) as quick,
    ):
        assert (await slow.next())["id"] == (await quick.next())["id"] == 1
        reading = asyncio.create_task(quick.take(40))
        for number in range(40):
            await write(resources, owner, project, str(number), size=LARGE)
        assert [event["id"] for event in await reading] == list(range(2, 42))
        await until(lambda: len(narrow.resources.tailers._subscriptions) == 1)
        rest = await slow.rest()
        assert [event["id"] for event in rest] == list(range(2, 2 + len(rest))), "the received events must be in order"
        assert len(rest) < 40
        assert await slow.closed() == (4408, "too_slow")
        assert quick.connection.close_code is None


async def test_a_reader_that_falls_behind_is_sent_back_to_the_table(
    users: Users, polling: Serving, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It resumes reading before the server drops it, and learns where to resume."""
    monkeypatch.setattr(feeds, "QUEUE_LIMIT", 20)
    owner = await users.person()
    project = await owner.project()
    async with opened(polling.url, project, greeting(owner, after=0), queue=1) as slow:
        assert (await slow.next())["id"] == 1
        for number in range(60):
            await write(resources, owner, project, str(number), size=LARGE)
        await until(
            lambda: all(
                subscription.ended
                for subscription in polling.resources.tailers._subscriptions
                if subscription.project_id == project
            )
        )
        *rest, last = await slow.rest()
        assert (last["type"], last["data"]) == ("reconnect", {"reason": "too_slow"})
        assert [event["id"] for event in rest] == list(range(2, last["id"] + 1)), (
            "the position to resume must be the last delivered event"
        )
        assert await slow.closed() == (4408, "too_slow")


@pytest.mark.parametrize("kind", ["stream", "socket"])
async def test_what_is_never_read_is_not_kept(
    users: Users, narrow: Serving, resources: Resources, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """The feed and the connection with its buffers are released after the timeout."""
    monkeypatch.setattr(connections, "UNREAD_SECONDS", 2.0)
    owner = await users.person()
    project = await owner.project()
    held = narrow.server.server_state.connections
    before = set(held)
    async with AsyncExitStack() as stack:
        if kind == "socket":
            await stack.enter_async_context(opened(narrow.url, project, greeting(owner, after=0), queue=1))
        else:
            await stack.enter_async_context(follow(narrow.url, project, owner.token, after=0))
        await until(lambda: narrow.resources.tailers.followed == 1)
        [connection] = held - before
        for number in range(40):
            await write(resources, owner, project, str(number), size=LARGE)
        await until(lambda: narrow.resources.tailers.followed == 0)
        await until(lambda: connection not in held)


async def test_streams_work_without_tcp_user_timeout(
    users: Users, narrow: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """macOS has no TCP_USER_TIMEOUT."""
    monkeypatch.delattr(socket, "TCP_USER_TIMEOUT")
    faults: list[object] = []
    monkeypatch.setattr(asyncio.get_running_loop(), "call_exception_handler", faults.append)
    owner = await users.person()
    async with follow(narrow.url, await owner.project(), owner.token, after=0) as stream:
        assert (await stream.next()).id == 1
    assert faults == []


async def test_the_log_has_one_line_of_a_socket_and_no_credential(
    users: Users, live_settings: Settings, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    owner = await users.person()
    project = await owner.project()
    log = live_settings.log.model_copy(update={"format": "json"})
    async with serve(live_settings.model_copy(update={"log": log})) as logging:
        async with opened(logging.url, project, greeting(owner, after=0)) as socket:
            assert (await socket.next())["id"] == 1
        async with connect(address(logging.url, project) + f"?token={owner.token}", proxy=None) as other:
            await other.send("{")
            await other.wait_closed()
    written = capfdbinary.readouterr().out
    lines = [json.loads(line) for line in written.splitlines() if b'"WS"' in line]
    assert [(line["status"], line["close"]) for line in lines] == [(101, 1000), (101, 4400)]
    assert lines[0]["principal"] == str(owner.principal)
    assert {line["project_id"] for line in lines} == {str(project)}
    assert all(line["request_id"] for line in lines)
    assert owner.token.encode() not in written
