from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from partywall.core.security.turns import FairPlaces, QueueFullError


class Hall:
    """Notes who gets in, and lets everybody out at once."""

    def __init__(self, places: FairPlaces) -> None:
        self.places = places
        self.entered: list[str] = []
        self.refused: Counter[str] = Counter()
        self.tasks: list[asyncio.Task[None]] = []
        self.doors = asyncio.Event()

    async def come(self, client: str, times: int = 1) -> None:
        self.tasks += [asyncio.create_task(self._visit(client)) for _ in range(times)]
        await settle()

    async def _visit(self, client: str) -> None:
        try:
            async with self.places.enter(client):
                self.entered.append(client)
                await self.doors.wait()
        except QueueFullError:
            self.refused[client] += 1

    async def let_through(self) -> list[str]:
        self.doors.set()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        return self.entered


async def settle() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_networks_take_turns_and_so_do_their_clients() -> None:
    hall = Hall(FairPlaces(1))
    await hall.come("203.0.113.1", times=6)
    await hall.come("203.0.113.2")
    await hall.come("198.51.100.1")
    await hall.come("2001:db8:1:2::/64")
    assert hall.entered == ["203.0.113.1"]
    entered = await hall.let_through()
    assert entered[1:5] == ["203.0.113.1", "198.51.100.1", "2001:db8:1:2::/64", "203.0.113.2"]
    assert len(entered) == 9
    assert hall.places.waiting == 0


async def test_a_client_and_a_network_fill_their_own_share_only() -> None:
    hall = Hall(FairPlaces(1, most=100, per_network=5, per_client=3))
    await hall.come("192.0.2.1")
    await hall.come("203.0.113.1", times=10)
    await hall.come("203.0.113.2", times=10)
    await hall.come("198.51.100.1")
    assert hall.refused == {"203.0.113.1": 7, "203.0.113.2": 8}
    assert "198.51.100.1" in await hall.let_through()


async def test_where_the_queue_is_full_the_heaviest_makes_room() -> None:
    hall = Hall(FairPlaces(1, most=6, per_network=4, per_client=4))
    await hall.come("192.0.2.1")
    await hall.come("203.0.113.1", times=4)
    await hall.come("198.51.100.1", times=2)
    await hall.come("192.0.2.7", times=3)
    assert hall.refused == {"203.0.113.1": 2, "192.0.2.7": 1}
    assert hall.places.waiting == 6
    assert len(await hall.let_through()) == 7


async def test_whoever_leaves_loses_no_place() -> None:
    places = FairPlaces(1)
    hall = Hall(places)
    await hall.come("192.0.2.1")
    await hall.come("203.0.113.1", times=3)
    hall.tasks[1].cancel()
    hall.tasks[0].cancel()  # its place goes to the one that is about to leave
    hall.tasks[2].cancel()
    await settle()
    assert hall.entered == ["192.0.2.1", "203.0.113.1"]
    await hall.let_through()
    assert places.waiting == 0
    async with asyncio.timeout(1), places.enter("192.0.2.1"):
        pass


async def test_a_full_queue_is_said_with_a_time_to_come_back() -> None:
    places = FairPlaces(1, most=0)
    async with places.enter("192.0.2.1"):
        with pytest.raises(QueueFullError) as refusal:
            async with places.enter("192.0.2.2"):
                pass
    assert refusal.value.headers == {"Retry-After": "1"}
