from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from partywall.core.security.fair_limiter import FairLimiter
from partywall.core.security.fair_queue import QueueFullError, QueueLimits


class Callers:
    """Records who enters, and releases everybody at once."""

    def __init__(self, slots: FairLimiter) -> None:
        self.slots = slots
        self.entered: list[str] = []
        self.refused: Counter[str] = Counter()
        self.tasks: list[asyncio.Task[None]] = []
        self.doors = asyncio.Event()

    async def arrive(self, client: str, times: int = 1, *, known: bool = False) -> None:
        self.tasks += [asyncio.create_task(self._visit(client, known)) for _ in range(times)]
        await settle()

    async def _visit(self, client: str, known: bool) -> None:
        try:
            async with self.slots.enter(client, known=known):
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
    callers = Callers(FairLimiter(1))
    await callers.arrive("203.0.113.1", times=6)
    await callers.arrive("203.0.113.2")
    await callers.arrive("198.51.100.1")
    await callers.arrive("2001:db8:1:2::/64")
    assert callers.entered == ["203.0.113.1"]
    entered = await callers.let_through()
    assert entered[1:5] == ["203.0.113.1", "198.51.100.1", "2001:db8:1:2::/64", "203.0.113.2"]
    assert len(entered) == 9
    assert callers.slots.waiting == 0


async def test_a_client_and_a_network_fill_only_their_own_share() -> None:
    callers = Callers(FairLimiter(1, QueueLimits(most=100, per_network=5, per_client=3)))
    await callers.arrive("192.0.2.1")
    await callers.arrive("203.0.113.1", times=10)
    await callers.arrive("203.0.113.2", times=10)
    await callers.arrive("198.51.100.1")
    assert callers.refused == {"203.0.113.1": 7, "203.0.113.2": 8}
    assert "198.51.100.1" in await callers.let_through()


async def test_a_full_queue_evicts_from_the_heaviest_network() -> None:
    callers = Callers(FairLimiter(1, QueueLimits(most=6, per_network=4, per_client=4)))
    await callers.arrive("192.0.2.1")
    await callers.arrive("203.0.113.1", times=4)
    await callers.arrive("198.51.100.1", times=2)
    await callers.arrive("192.0.2.7", times=3)
    assert callers.refused == {"203.0.113.1": 2, "192.0.2.7": 1}
    assert callers.slots.waiting == 6
    assert len(await callers.let_through()) == 7


async def test_a_cancelled_waiter_loses_no_slot() -> None:
    slots = FairLimiter(1)
    callers = Callers(slots)
    await callers.arrive("192.0.2.1")
    await callers.arrive("203.0.113.1", times=3)
    callers.tasks[1].cancel()
    callers.tasks[0].cancel()  # its slot goes to the one that is about to leave
    callers.tasks[2].cancel()
    await settle()
    assert callers.entered == ["192.0.2.1", "203.0.113.1"]
    await callers.let_through()
    assert slots.waiting == 0
    async with asyncio.timeout(60), slots.enter("192.0.2.1"):
        pass


async def test_a_full_queue_answers_with_retry_after() -> None:
    slots = FairLimiter(1, QueueLimits(most=0))
    async with slots.enter("192.0.2.1"):
        with pytest.raises(QueueFullError) as refusal:
            async with slots.enter("192.0.2.2"):
                pass
    assert refusal.value.headers == {"Retry-After": "1"}


async def test_a_wait_that_is_too_long_ends_with_retry_after() -> None:
    slots = FairLimiter(1, max_wait=0.0)
    async with slots.enter("192.0.2.1"):
        for known in (True, False):
            with pytest.raises(QueueFullError) as refusal:
                async with slots.enter("192.0.2.2", known=known):
                    pass
            assert refusal.value.headers == {"Retry-After": "5"}
        assert slots.waiting == 0
    async with slots.enter("192.0.2.2"):
        pass


KNOWN, GUESSERS = "192.0.2.9", [f"10.{number}.0.1" for number in range(100)]


async def test_a_known_caller_does_not_wait_for_a_hundred_networks() -> None:
    callers = Callers(FairLimiter(1))
    for guesser in GUESSERS:
        await callers.arrive(guesser, times=2)
    await callers.arrive(KNOWN, known=True)
    entered = await callers.let_through()
    assert entered.index(KNOWN) == 1
    assert len(entered) == 201


async def test_one_of_several_slots_is_kept_for_known_callers() -> None:
    callers = Callers(FairLimiter(3))
    for guesser in GUESSERS:
        await callers.arrive(guesser)
    assert callers.entered == GUESSERS[:2]
    await callers.arrive(KNOWN, known=True)
    assert callers.entered == [*GUESSERS[:2], KNOWN]
    assert len(await callers.let_through()) == 101


async def test_known_callers_leave_every_second_turn_to_unknown_ones() -> None:
    callers = Callers(FairLimiter(1))
    await callers.arrive(KNOWN, known=True)
    for number in range(20):
        await callers.arrive(f"172.16.{number}.1", known=True)
    for guesser in GUESSERS[:10]:
        await callers.arrive(guesser)
    entered = await callers.let_through()
    assert entered[1:21:2] == GUESSERS[:10]
    assert entered[2:21:2] == [f"172.16.{number}.1" for number in range(10)]
    assert entered[21:] == [f"172.16.{number}.1" for number in range(10, 20)]


async def test_unknown_callers_get_every_second_turn_of_two_slots() -> None:
    """However many known callers come."""
    callers = Callers(FairLimiter(2))
    await callers.arrive(KNOWN, times=20, known=True)
    await callers.arrive(GUESSERS[0], times=5)
    assert callers.entered == [KNOWN] * 2
    entered = await callers.let_through()
    assert entered[2:12].count(GUESSERS[0]) == 5
    assert len(entered) == 25


async def test_known_callers_take_turns() -> None:
    callers = Callers(FairLimiter(1))
    await callers.arrive(KNOWN, times=6, known=True)
    await callers.arrive("198.51.100.1", known=True)
    assert (await callers.let_through())[1:3] == [KNOWN, "198.51.100.1"]


async def test_a_full_queue_of_unknown_callers_refuses_no_known_one() -> None:
    callers = Callers(FairLimiter(1, QueueLimits(most=2)))
    for guesser in GUESSERS[:5]:
        await callers.arrive(guesser)
    await callers.arrive(KNOWN, known=True)
    assert callers.refused == dict.fromkeys(GUESSERS[3:5], 1)
    assert KNOWN in await callers.let_through()


@pytest.mark.parametrize("known", [True, False])
async def test_cancelled_waiters_neither_lose_nor_add_slots(known: bool) -> None:
    slots = FairLimiter(2)
    callers = Callers(slots)
    await callers.arrive(KNOWN, times=3, known=known)
    await callers.arrive(GUESSERS[0], times=3)
    for task in callers.tasks[::-1]:
        task.cancel()
    await settle()
    assert slots.waiting == 0
    again = Callers(slots)
    await again.arrive(GUESSERS[1], times=3)
    assert again.entered == [GUESSERS[1]]
    await again.arrive(KNOWN, times=3, known=True)
    assert again.entered == [GUESSERS[1], KNOWN]
    assert len(await again.let_through()) == 6
