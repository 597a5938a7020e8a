from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from partywall.core.fetched_value import FRESH_SECONDS, KEPT_SECONDS, PAUSE_SECONDS, FetchedValue


@dataclass
class Source:
    """Counts how often it is asked; `away` makes it fail."""

    away: bool = False
    now: float = 1000.0
    asked: int = 0
    value: FetchedValue[list[int]] = field(init=False)

    def __post_init__(self) -> None:
        self.value = FetchedValue(self.fetch, (OSError,), lambda: self.now)

    async def fetch(self) -> list[int]:
        self.asked += 1
        await asyncio.sleep(0)
        if self.away:
            raise OSError
        return [self.asked]


async def test_a_value_is_fetched_once_for_many_callers() -> None:
    source = Source()
    assert source.value.cached() is None
    assert await asyncio.gather(*(source.value.get() for _ in range(10))) == [[1]] * 10
    assert source.value.cached() == [1]


async def test_a_failure_is_repeated_without_asking_again() -> None:
    source = Source(away=True)
    for _ in range(5):
        with pytest.raises(OSError, match=r"^$"):
            await source.value.get()
    assert source.asked == 1
    source.away, source.now = False, source.now + PAUSE_SECONDS
    assert await source.value.get() == [2]


async def test_an_old_value_is_used_for_a_while_if_the_source_is_away() -> None:
    source = Source()
    await source.value.get()
    source.away, source.now = True, source.now + FRESH_SECONDS
    assert await source.value.get() == [1]
    assert source.asked == 2
    source.now += KEPT_SECONDS
    with pytest.raises(OSError, match=r"^$"):
        await source.value.get()


async def test_only_one_caller_waits_while_an_old_value_is_fetched_again() -> None:
    source = Source()
    await source.value.get()
    source.now += FRESH_SECONDS
    assert await asyncio.gather(*(source.value.get() for _ in range(3))) == [[2], [1], [1]]


async def test_a_renewal_is_shared_and_limited() -> None:
    source = Source()
    former = await source.value.get()
    assert await source.value.renewed(former) is former
    source.now += PAUSE_SECONDS
    assert await asyncio.gather(*(source.value.renewed(former) for _ in range(10))) == [[2]] * 10
    assert source.asked == 2
