"""A burst from one address delays only that address."""

from __future__ import annotations

import asyncio
import gc
import socket
import struct
import weakref
from contextlib import AsyncExitStack

import pytest
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from partywall.core.http import address_limiter as limiter_module
from partywall.core.http.address_limiter import AT_ONCE, AddressLimiter, RequestSlot, end_request_slot, set_request_slot
from partywall.core.http.connections import Http
from partywall.testing.conditions import until
from partywall.testing.users import Users
from tests.core.http.bytes import answer_on, ask, bearer, documents, head
from tests.features.live.server import Serving
from tests.features.live.wire import wired

MAX_WAIT = 60
JSON = "Content-Type: application/json"
TOKEN = b"refresh_token&refresh_token=x"


async def test_concurrency_is_limited_per_address() -> None:
    address_limiter, begun = AddressLimiter(at_once=2), list[str]()
    mine = [address_limiter.take("a", lambda n=n: begun.append(f"a{n}")) for n in range(5)]  # type: ignore[misc]  # bound early
    address_limiter.take("b", lambda: begun.append("b"))
    assert begun == ["a0", "a1", "b"]
    mine[1].end()
    mine[1].end()
    assert begun == ["a0", "a1", "b", "a2"]


async def test_callers_of_one_address_take_turns() -> None:
    address_limiter, begun = AddressLimiter(at_once=4), list[str]()

    def take(caller: str, number: int) -> RequestSlot:
        return address_limiter.take("a", lambda: begun.append(f"{caller}{number}"), caller=caller)

    burst = [take("burst", number) for number in range(9)]
    take("one", 0)
    assert begun == ["burst0", "burst1", "burst2", "one0"]
    take("two", 0)
    take("two", 1)
    for slot in burst[:4]:
        slot.end()
    assert begun[4:] == ["burst3", "two0", "burst4", "two1"]


async def test_a_long_wait_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiter_module, "MAX_WAIT_SECONDS", 0.0)
    address_limiter, notified = AddressLimiter(at_once=1, seconds=0.01), asyncio.Event()
    address_limiter.take("a", lambda: None)
    address_limiter.take("a", lambda: None)
    address_limiter.take("a", lambda: None, lambda _: notified.set())
    late = address_limiter.take("a", lambda: None, lambda _: notified.set())
    async with asyncio.timeout(MAX_WAIT):
        await notified.wait()
    assert not late.waits


@pytest.mark.parametrize("by", ["admission", "forms", "fast path"])
async def test_a_request_with_an_unfinished_body_holds_no_slot(
    server: Serving, users: Users, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """Requests with a complete body or none are served meanwhile. A slot that is not returned is lost for good."""
    monkeypatch.setattr(AddressLimiter, "_look_later", lambda *_: None)
    owner = await users.person()
    path = documents(await owner.project())
    assert (await ask(server, head("GET", path, bearer(owner.token)))).status == 200  # from now on the token is known
    form = "Content-Type: application/x-www-form-urlencoded"
    mine = (bearer(owner.token),) if by == "fast path" else ()
    begun, rest, status = {
        "admission": (head("POST", "/api/v1/auth/register", JSON, "Content-Length: 2") + b"{", b"}", 422),
        "forms": (head("POST", "/api/v1/auth/token", form, "Content-Length: 40") + b"grant_type=", TOKEN, 400),
        "fast path": (head("POST", path, JSON, "Content-Length: 2", *mine) + b"{", b"}", 422),
    }[by]
    async with asyncio.timeout(MAX_WAIT), AsyncExitStack() as stack:
        wires = [await stack.enter_async_context(wired(server)) for _ in range(2 * AT_ONCE)]
        for wire in wires:
            wire.send(begun)
        async with wired(server) as other:
            other.send(head("GET", "/healthz", *mine))
            assert (await answer_on(other)).status == 200
        for wire in wires:
            wire.send(rest)
        assert {(await answer_on(wire)).status for wire in wires} == {status}


async def test_fewer_requests_begin_while_the_loop_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiter_module, "LONG_ROUND_SECONDS", -1.0)  # every round counts as long
    address_limiter, begun = AddressLimiter(at_once=17), list[int]()
    address_limiter.take("a", lambda: None)
    await asyncio.sleep(0)
    for number in range(16):
        address_limiter.take("a", lambda number=number: begun.append(number), caller=number)  # type: ignore[misc]  # bound early
    rounds = []
    for _ in range(5):
        rounds.append(len(begun))
        await asyncio.sleep(0)
    assert rounds == [8, 12, 14, 15, 16]
    monkeypatch.setattr(limiter_module, "LONG_ROUND_SECONDS", 60.0)
    address_limiter.take("b", lambda: begun.append(0))
    await asyncio.sleep(0)
    for _ in range(8):
        address_limiter.take("c", lambda: begun.append(1))
    assert begun[16:] == [0, 1, 1], "after a short round, one more starts in each"


async def test_an_abandoned_request_is_not_begun() -> None:
    address_limiter, begun = AddressLimiter(at_once=1), list[int]()

    def take(number: int) -> RequestSlot:
        return address_limiter.take("a", lambda: begun.append(number))

    first, second, third = take(0), take(1), take(2)
    second.abandon()
    first.abandon()  # it still runs, although nobody waits for it
    assert begun == [0]
    first.end()
    assert begun == [0, 2]
    third.end()
    take(3)
    assert begun == [0, 2, 3]


async def test_long_requests_and_open_streams_block_nobody() -> None:
    address_limiter, begun = AddressLimiter(at_once=1, seconds=0.01), asyncio.Event()
    address_limiter.take("a", lambda: None)
    address_limiter.take("a", begun.set)
    async with asyncio.timeout(MAX_WAIT):
        await begun.wait()
    address_limiter, state = AddressLimiter(at_once=1), dict[str, object]()
    set_request_slot(state, address_limiter.take("a", lambda: None))
    begun.clear()
    address_limiter.take("a", begun.set)
    assert not begun.is_set()
    end_request_slot(state)
    assert begun.is_set()


async def test_a_burst_is_answered_despite_aborted_connections(server: Serving) -> None:
    async with asyncio.timeout(MAX_WAIT), AsyncExitStack() as stack:
        wires = [await stack.enter_async_context(wired(server)) for _ in range(3 * AT_ONCE)]
        for wire in wires:
            wire.send(head("GET", "/healthz"))
        for wire in wires[::2]:
            wire.writer.transport.abort()
        for _ in range(2):
            assert {(await answer_on(wire)).status for wire in wires[1::2]} == {200}
            for wire in wires[1::2]:
                wire.send(head("GET", "/healthz"))


def cycles() -> int:
    return sum(isinstance(each, RequestResponseCycle) for each in gc.get_objects())


def kept() -> list[Http | RequestResponseCycle]:
    return [each for each in gc.get_objects() if isinstance(each, Http | RequestResponseCycle)]


async def test_reset_connections_leave_nothing_in_memory(server: Serving) -> None:
    """Without the garbage collector, and without waiting for the end of the keep-alive."""
    gc.collect()
    before = kept()
    gc.disable()
    try:
        async with AsyncExitStack() as stack:
            for _ in range(3):
                wire = await stack.enter_async_context(wired(server))
                wire.send(head("GET", "/healthz"))
                await answer_on(wire)
                connection = wire.writer.get_extra_info("socket")
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            added = [weakref.ref(each) for each in kept() if each not in before]
        await until(lambda: all(each() is None for each in added), MAX_WAIT)
    finally:
        gc.enable()
    assert len(added) == 3, "an idle connection keeps its last request"


async def test_an_answered_request_is_freed_without_the_collector(server: Serving) -> None:
    """A reference cycle would keep its body and its response until the garbage collector runs and stops every task."""
    async with wired(server) as wire:
        wire.send(head("GET", "/healthz"))
        await answer_on(wire)
        gc.collect()
        gc.disable()
        try:
            before = cycles()
            for _ in range(5):
                wire.send(head("GET", "/healthz"))
                assert (await answer_on(wire)).status == 200
            assert cycles() == before
        finally:
            gc.enable()
