"""Limits on frames that never reach the application, such as pings."""

from __future__ import annotations

import asyncio
import json
from typing import cast

import pytest
from starlette.websockets import WebSocket
from websockets.frames import Frame, Opcode

from partywall.core.http.socket_protocol import FRAMES_PER_MINUTE, Sockets
from partywall.testing.conditions import until
from partywall.testing.users import Person, Users
from tests.features.live.server import Serving
from tests.features.live.sockets import greeting
from tests.features.live.wire import Wire, closing, frame, upgrade, wired

TOO_MANY = closing(4429, "too_many_messages")
FLOODS = {
    "pings": frame(Opcode.PING, b"x" * 125) * FRAMES_PER_MINUTE,
    "pongs": frame(Opcode.PONG) * FRAMES_PER_MINUTE,
    "parts": frame(Opcode.TEXT, fin=False) + frame(Opcode.CONT, fin=False) * (FRAMES_PER_MINUTE - 1),
    "messages": frame(Opcode.TEXT, b"{}") * FRAMES_PER_MINUTE,
}


async def shake_hands(wire: Wire, person: Person, *, greet: bool) -> None:
    """Upgrades the connection; with `greet`, also authenticates and waits for the first event."""
    project = await person.project()
    wire.send(upgrade(project))
    assert (await wire.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
    if greet:
        wire.send(frame(Opcode.TEXT, json.dumps(greeting(person, after=0)).encode()))
        await wire.until(b"project.created")


@pytest.mark.parametrize("greet", [True, False])
@pytest.mark.parametrize("flood", FLOODS)
async def test_frames_are_counted_whatever_they_are(users: Users, server: Serving, flood: str, greet: bool) -> None:
    async with wired(server) as wire:
        await shake_hands(wire, await users.person(), greet=greet)
        wire.send(FLOODS[flood] + frame(Opcode.PING))
        assert (await wire.rest()).endswith(TOO_MANY)
    await until(lambda: server.resources.handshakes.taken == server.resources.tailers.followed == 0)


async def test_pings_are_answered_as_long_as_they_are_few(users: Users, server: Serving) -> None:
    async with wired(server) as wire:
        await shake_hands(wire, await users.person(), greet=False)
        for number in range(FRAMES_PER_MINUTE):
            payload = b"%03d." % number
            wire.send(frame(Opcode.PING, payload))
            await wire.until(Frame(Opcode.PONG, payload).serialize(mask=False))


async def test_the_pongs_that_the_server_asks_for_are_free(
    users: Users, server: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("partywall.core.http.socket_protocol.FRAMES_PER_MINUTE", 1)
    async with wired(server) as wire:
        await shake_hands(wire, await users.person(), greet=True)
        for _ in range(3):
            await wire.until(b"\x89\x04")
            wire.send(frame(Opcode.PONG, await wire.reader.readexactly(4)))
        wire.send(frame(Opcode.PONG, b"again"))
        assert (await wire.rest()).endswith(TOO_MANY)


@pytest.mark.parametrize("greet", [True, False])
async def test_who_reads_no_pong_is_dropped(users: Users, server: Serving, greet: bool) -> None:
    many = frame(Opcode.PING, b"x" * 125) * 1000
    async with wired(server, receive_buffer=4096) as wire:
        await shake_hands(wire, await users.person(), greet=greet)
        wire.read_no_more()
        with pytest.raises(ConnectionError):
            await wire.insist(many, 200)
    await until(lambda: server.resources.handshakes.taken == server.resources.tailers.followed == 0)


async def test_parts_that_add_nothing_are_not_kept(users: Users, server: Serving) -> None:
    person = await users.person()
    text = json.dumps(greeting(person, after=0)).encode()
    before = set(server.server.server_state.connections)
    async with wired(server) as wire:
        await shake_hands(wire, person, greet=False)
        [connection] = cast("set[Sockets]", server.server.server_state.connections - before)
        wire.send(frame(Opcode.TEXT, text[:5], fin=False) + frame(Opcode.CONT, fin=False) * 200 + frame(Opcode.PING))
        await wire.until(b"\x8a\x00")
        assert len(connection.frames) == 1
        wire.send(frame(Opcode.CONT, text[5:], fin=False) + frame(Opcode.CONT))
        await wire.until(b"project.created")


async def test_nothing_is_answered_before_the_upgrade(
    users: Users, server: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, proceed, accept = asyncio.Event(), asyncio.Event(), WebSocket.accept

    async def accept_late(websocket: WebSocket) -> None:
        asked.set()
        await proceed.wait()
        await accept(websocket)

    monkeypatch.setattr(WebSocket, "accept", accept_late)
    person = await users.person()
    project = await person.project()
    async with wired(server) as wire, wired(server) as other:
        wire.send(upgrade(project))
        await asked.wait()
        wire.send(frame(Opcode.PING, b"early"))
        other.send(b"GET /healthz HTTP/1.1\r\nHost: here\r\n\r\n")
        await other.until(b"\r\n\r\n")
        proceed.set()
        assert (await wire.until(b"\x8a\x05early")).startswith(b"HTTP/1.1 101 ")
