"""What one connection may send, how long it may take, and how many connections there may be."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress

import pytest

from partywall.core.http import connection_limits, unread_body
from partywall.core.http.request_progress import FRAMING_BYTES, HEAD_BYTES, Part, Progress
from partywall.settings import Settings
from partywall.testing.conditions import until
from partywall.testing.users import Users
from tests.core.http.bytes import HEALTH, PROJECTS, answer_on, ask, bearer, documents, head
from tests.core.http.conftest import PER_ADDRESS
from tests.features.live.server import Serving, serve
from tests.features.live.sockets import greeting, opened
from tests.features.live.wire import Wire, wired


async def test_silent_connections_are_closed_and_half_requests_time_out(users: Users, strict: Serving) -> None:
    owner = await users.person()
    body = head("POST", PROJECTS, "Content-Length: 500", "Content-Type: application/json", bearer(owner.token))
    async with wired(strict) as silent, wired(strict) as half, wired(strict) as bodiless, wired(strict) as lines:
        half.send(b"GET /healthz HTTP/1.1\r\nHost: h")
        bodiless.send(body + b'{"name":')
        lines.send(HEALTH)
        assert (await answer_on(lines)).status == 200
        lines.send(b"\r\n")
        assert await silent.rest() == b""
        assert (await answer_on(half)).code == "request_timeout"
        assert (await answer_on(bodiless)).code == "request_timeout"
        assert (await answer_on(lines)).code == "request_timeout"
    async with wired(strict) as kept:
        for _ in range(3):
            kept.send(HEALTH)
            assert (await answer_on(kept)).status == 200
            await asyncio.sleep(0.3)


async def test_the_oldest_unfinished_connections_are_closed_first(strict: Serving) -> None:
    async with AsyncExitStack() as stack:
        crowd = [await stack.enter_async_context(wired(strict)) for _ in range(30)]
        for each in crowd:
            each.send(b"GET /healthz HTTP/1.1\r\n")
        assert (await ask(strict, HEALTH)).status == 200
        await until(lambda: sum(each.reader.at_eof() or each.reader.exception() is not None for each in crowd) >= 20)


async def test_connections_are_limited_per_address(strict: Serving) -> None:
    async with AsyncExitStack() as stack:
        kept: list[Wire] = []
        for _ in range(PER_ADDRESS):
            kept.append(await stack.enter_async_context(wired(strict)))
            kept[-1].send(HEALTH)
            assert (await answer_on(kept[-1])).status == 200
        async with wired(strict) as refused:
            answer = await answer_on(refused)
            assert (answer.status, answer.code) == (503, "too_many_connections")
        kept[0].send(HEALTH)
        assert (await answer_on(kept[0])).status == 200
    await until(lambda: not strict.server.server_state.connections)
    assert (await ask(strict, HEALTH)).status == 200


@pytest.mark.parametrize("crowd", [HEALTH, HEALTH.removesuffix(b"\r\n")])
async def test_at_the_connection_limit_idle_connections_are_closed(
    settings: Settings, crowd: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_limits, "GRACE_SECONDS", 0.0)
    update = {"connections": 16, "connections_per_address": 100}
    async with (
        serve(settings.model_copy(update={"http": settings.http.model_copy(update=update)})) as full,
        AsyncExitStack() as stack,
    ):
        held = [await stack.enter_async_context(wired(full)) for _ in range(16)]
        for each in held:
            each.send(crowd)
            if crowd == HEALTH:
                assert (await answer_on(each)).status == 200
        assert (await ask(full, HEALTH)).status == 200
        with suppress(ConnectionError):
            assert await held[0].rest() == b""
        held[-1].send(HEALTH if crowd == HEALTH else b"\r\n")
        assert (await answer_on(held[-1])).status == 200


async def test_a_new_connection_is_not_closed_for_others(settings: Settings) -> None:
    """One address holds all slots but one with idle connections: those are closed first, and the newest one stays."""
    update = {"connections": 8, "connections_per_address": 100}
    async with (
        serve(settings.model_copy(update={"http": settings.http.model_copy(update=update)})) as full,
        AsyncExitStack() as stack,
    ):
        for _ in range(7):
            idle = await stack.enter_async_context(wired(full))
            idle.send(HEALTH)
            assert (await answer_on(idle)).status == 200
        newcomers = [await stack.enter_async_context(wired(full)) for _ in range(6)]
        for each in newcomers:
            each.send(HEALTH)
        assert [(await answer_on(each)).status for each in newcomers] == [200] * 6


async def test_a_client_that_does_not_read_its_response_is_disconnected(users: Users, strict: Serving) -> None:
    owner = await users.person()
    project = await owner.project()
    made = await owner.client.post(
        f"{PROJECTS}/{project}/documents", json={"title": "Large", "content": "x" * 8_000_000}
    )
    path = f"{PROJECTS}/{project}/documents/{made.json()['id']}"
    held = strict.server.server_state.connections
    before = set(held)
    async with wired(strict, receive_buffer=4096) as slow:
        slow.read_no_more()
        slow.send(head("GET", path, bearer(owner.token)))
        await until(lambda: bool(set(held) - before))
        [connection] = set(held) - before
        await until(lambda: connection not in held)


@pytest.mark.parametrize("behind", [b"\x00\x01", b"GET / HTTP/1.1\r\nbad\r\n\r\n"])
async def test_an_error_is_never_written_into_another_response(users: Users, strict: Serving, behind: bytes) -> None:
    owner = await users.person()
    project = await owner.project()
    content = "x" * 3_000_000
    made = await owner.client.post(f"{PROJECTS}/{project}/documents", json={"title": "Large", "content": content})
    async with wired(strict, receive_buffer=4096) as wire:
        wire.send(head("GET", f"{PROJECTS}/{project}/documents/{made.json()['id']}/content", bearer(owner.token)))
        await wire.until(b"\r\n\r\n")
        wire.send(behind)
        with suppress(ConnectionError):
            rest = await wire.rest()
            assert rest.strip(b"x") == b""


def test_progress_counts_only_useful_bytes() -> None:
    body = Progress(since=0.0)
    assert body.admits(HEAD_BYTES, 0)
    assert not body.admits(1, 0)
    body.begin(Part.BODY, 10.0, content=50)
    for content in range(100_000, 2_000_000, 100_000):
        assert body.admits(100_000, 50 + content)
    assert body.due(5, 30, 10_000) == 10 + 30 + 190
    assert not body.admits(FRAMING_BYTES + 1, 50 + 1_900_000)


async def test_a_closed_websocket_releases_its_slot(users: Users, strict: Serving) -> None:
    owner = await users.person()
    project = await owner.project()
    for _ in range(PER_ADDRESS + 5):
        async with opened(strict.url, project, greeting(owner, after=0)) as follower:
            assert (await follower.next())["id"] == 1


async def test_a_client_that_sends_its_whole_body_can_read_the_refusal(server: Serving) -> None:
    size = 30 * 1024 * 1024
    async with wired(server) as wire:
        wire.send(head("POST", PROJECTS, f"Content-Length: {size}"))
        await wire.insist(bytes(1024 * 1024), size // (1024 * 1024))
        assert (await answer_on(wire)).status == 401
        assert await wire.rest() == b""


async def test_the_discarded_rest_of_a_body_is_limited(server: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unread_body, "_BYTES", 1024)
    async with wired(server) as wire:
        wire.send(head("POST", PROJECTS, "Transfer-Encoding: chunked"))
        with pytest.raises(ConnectionError):
            await wire.insist(b"10000\r\n" + bytes(65536) + b"\r\n", 10_000)


async def test_a_stop_does_not_wait_for_bodies(users: Users, settings: Settings) -> None:
    owner = await users.person()
    path = documents(await owner.project())
    async with serve(settings) as serving, wired(serving) as whole, wired(serving) as first, wired(serving) as second:
        for wire, size in ((first, 1_000), (second, 1_000_000)):
            headers = ("Content-Type: application/json", f"Content-Length: {size}", bearer(owner.token))
            wire.send(head("POST", path, *headers) + b"{")
        whole.send(HEALTH)
        assert (await answer_on(whole)).status == 200
        stopping = asyncio.create_task(serving.stop())
        for wire in (first, second):
            answer = await answer_on(wire)
            assert (answer.status, answer.code) == (503, "unavailable")
            assert int(answer.headers["retry-after"]) > 0
            wire.writer.close()
        assert await whole.rest() == b""
        await stopping
