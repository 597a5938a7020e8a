from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from partywall.core.budget import BudgetSpentError, SharedBudget


async def test_the_budget_limits_the_total_and_each_share() -> None:
    budget = SharedBudget[str](total=10, each=4)
    async with AsyncExitStack() as stack:
        for key, amount in (("a", 2), ("a", 2), ("b", 4)):
            await stack.enter_async_context(budget.take(key, amount))
        for key, amount in (("a", 1), ("c", 3)):
            with pytest.raises(BudgetSpentError) as caught:
                await stack.enter_async_context(budget.take(key, amount))
            assert int(caught.value.headers["Retry-After"]) > 0
        assert budget.taken == 8
    assert budget.taken == 0


async def test_an_amount_over_the_limit_is_granted_alone() -> None:
    budget = SharedBudget[str](total=10, each=3)
    async with budget.take("a", 50):
        with pytest.raises(BudgetSpentError):
            await budget.take("b", 1).__aenter__()
    async with budget.take("a", 2), budget.take("b", 8):
        assert budget.taken == 10


async def test_waiters_are_served_in_order_and_only_behind_their_own_share() -> None:
    budget = SharedBudget[str](total=10, each=5)
    came: list[str] = []

    async def work(name: str, key: str, amount: int) -> None:
        async with budget.take(key, amount, 5):
            came.append(name)
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group, budget.take("a", 5):
        group.create_task(work("a, later", "a", 5))
        await asyncio.sleep(0)
        await group.create_task(work("b, past it", "b", 5))
        async with budget.take("b", 5):
            for name in ("first", "second"):
                group.create_task(work(name, "c", 5))
                await asyncio.sleep(0)
            assert came == ["b, past it"]
    assert came.index("first") < came.index("second")
    assert "a, later" in came
    assert budget.taken == 0


async def test_a_cancelled_waiter_takes_nothing() -> None:
    budget = SharedBudget[str](total=4, each=4, most_waiting=2)
    async with budget.take("a", 4):
        with pytest.raises(BudgetSpentError):
            await budget.take("b", 1, 0.01).__aenter__()
        waiting = [asyncio.create_task(budget.take("b", 1, 5).__aenter__()) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(BudgetSpentError):
            await budget.take("b", 1, 5).__aenter__()
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    assert budget.taken == 0


async def test_the_waiter_that_holds_least_comes_first() -> None:
    """However many requests another key has made before."""
    budget = SharedBudget[str](total=4, each=4)
    came: list[str] = []

    async def work(key: str) -> None:
        async with budget.take(key, 2, 5):
            came.append(key)

    async with asyncio.TaskGroup() as group, budget.take("many", 2):
        async with budget.take("other", 2):
            for key in ("many", "many", "many", "few"):
                group.create_task(work(key))
                await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert came[0] == "few"
    assert came.count("many") == 3
