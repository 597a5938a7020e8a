"""Connections whose client has stopped sending."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from partywall.core.http import connections
from partywall.core.http.address_limiter import AT_ONCE
from partywall.testing.conditions import until
from partywall.testing.users import Users
from tests.core.http.bytes import HEALTH, PROJECTS, answer_on, bearer, head
from tests.features.live.server import Serving
from tests.features.live.wire import wired


async def test_a_half_closed_connection_gets_every_answer(users: Users, server: Serving) -> None:
    owner, body = await users.person(), b'{"name": "x"}'
    lines = (bearer(owner.token), "Content-Type: application/json", f"Content-Length: {len(body)}")
    async with wired(server) as wire:
        wire.send(head("POST", PROJECTS, *lines) + body + HEALTH)
        wire.writer.write_eof()
        assert (await answer_on(wire)).status == 201
        answer = await answer_on(wire)
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert await wire.rest() == b""


async def test_waiting_requests_of_half_closed_connections_do_not_begin(
    server: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that has left looks the same: a burst of them would otherwise be worked on to its end."""
    begun, answered = 0, asyncio.Event()

    async def hang(*_: object) -> None:
        nonlocal begun
        begun += 1
        await answered.wait()

    monkeypatch.setattr(server.app, "middleware_stack", hang)
    async with AsyncExitStack() as stack:
        wires = [await stack.enter_async_context(wired(server)) for _ in range(AT_ONCE + 4)]
        for number, wire in enumerate(wires):
            wire.send(head("GET", "/healthz", bearer(str(number))))
        await until(lambda: begun == AT_ONCE)
        for wire in wires:
            wire.writer.write_eof()
        await until(lambda: sum(wire.reader.at_eof() for wire in wires) == 4)
        answered.set()
    assert begun == AT_ONCE


async def test_half_a_request_gets_no_answer(server: Serving) -> None:
    for half in (b"GET /healthz HTTP/1.1\r\n", head("POST", PROJECTS, "Content-Length: 5"), b""):
        async with wired(server) as wire:
            wire.send(half)
            wire.writer.write_eof()
            assert b"HTTP/1.1 200" not in await wire.rest()


async def test_a_half_closed_connection_does_not_wait_for_ever(
    strict: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = asyncio.Event()

    async def hang(*_: object) -> None:
        await answered.wait()

    monkeypatch.setattr(connections, "HALF_CLOSED_SECONDS", 0.2)
    monkeypatch.setattr(strict.app, "middleware_stack", hang)
    async with wired(strict) as wire:
        wire.send(HEALTH)
        wire.writer.write_eof()
        assert await wire.rest() == b""
    answered.set()
