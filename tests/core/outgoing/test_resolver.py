"""Slow names of one tenant leave threads for all others."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator

import pytest

from partywall.core.outgoing.destinations import Destinations, RefusedDestinationError
from partywall.core.outgoing.guarded_transport import NOT_CALLED, Outgoing
from partywall.core.outgoing.resolver import (
    THREADS,
    THREADS_EACH,
    WAITING_EACH,
    Resolver,
    ResolverBusyError,
    on_behalf_of,
)


class NameServer:
    """Does not answer for some names until it is released."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.asked = 0

    def __call__(self, host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        self.asked += 1
        if host.startswith("slow"):
            self.let_go.wait(60)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", port))]

    async def until_asked(self, times: int) -> None:
        """Exactly this often."""
        async with asyncio.timeout(60):
            while self.asked < times:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        assert self.asked == times


@pytest.fixture
async def names(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[NameServer]:
    names = NameServer()
    monkeypatch.setattr("partywall.core.outgoing.resolver.socket.getaddrinfo", names)
    yield names
    names.let_go.set()


async def look_up(resolver: Resolver, tenant: str, name: str) -> list[str]:
    with on_behalf_of(tenant):
        return await resolver(name, 443)


async def test_slow_names_of_one_tenant_leave_threads_for_others(names: NameServer) -> None:
    resolver = Resolver()
    waiting = [asyncio.create_task(look_up(resolver, "a", f"slow{number}")) for number in range(THREADS + 4)]
    await names.until_asked(THREADS_EACH)
    async with asyncio.timeout(60):
        assert await look_up(resolver, "b", "quick") == ["192.0.2.1"]
    names.let_go.set()
    assert len(await asyncio.gather(*waiting)) == THREADS + 4
    resolver.close()


async def test_an_abandoned_lookup_keeps_its_slot(names: NameServer) -> None:
    resolver = Resolver()
    for number in range(THREADS_EACH):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(look_up(resolver, "a", f"slow{number}"), 0.01)
    one_more = asyncio.create_task(look_up(resolver, "a", "quick"))
    await names.until_asked(THREADS_EACH)
    assert not one_more.done()
    names.let_go.set()
    async with asyncio.timeout(60):
        await one_more
    resolver.close()


async def test_waiting_lookups_of_one_tenant_are_limited(names: NameServer) -> None:
    resolver = Resolver()
    most = THREADS_EACH + WAITING_EACH
    waiting = [asyncio.create_task(look_up(resolver, "a", "slow")) for _ in range(most)]
    await asyncio.sleep(0.05)
    with pytest.raises(ResolverBusyError):
        await look_up(resolver, "a", "quick")
    names.let_go.set()
    await asyncio.gather(*waiting)
    resolver.close()


@pytest.mark.parametrize("found", [["10.0.0.1"], ["127.0.0.1"], [], ["93.184.216.34"] * 101, None])
async def test_a_private_name_is_refused_like_an_unknown_one(found: list[str] | None) -> None:
    async def resolve(_: str, __: int) -> list[str]:
        if found is None:
            raise OSError("nobody knows")
        return found

    outgoing = Outgoing.open(Destinations(), resolve)
    with pytest.raises(RefusedDestinationError) as caught:
        await outgoing.validate("https://db.internal.example/")
    assert str(caught.value) == NOT_CALLED
    await outgoing.client.aclose()
