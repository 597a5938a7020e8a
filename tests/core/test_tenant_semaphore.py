from __future__ import annotations

import asyncio

from partywall.core.tenant_semaphore import TenantSemaphore


async def entered(semaphore: TenantSemaphore[str], tenant: str, order: list[str], leave: asyncio.Event) -> None:
    async with semaphore.enter(tenant):
        order.append(tenant)
        await leave.wait()


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_one_tenant_leaves_places_for_others_and_takes_turns_with_them() -> None:
    semaphore, order, leave = TenantSemaphore[str](3, 2), list[str](), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for tenant in "aaaaaabbc":
            group.create_task(entered(semaphore, tenant, order, leave))
        await settle()
        assert order == ["a", "a", "b"]
        assert [semaphore.waiting(tenant) for tenant in "abcd"] == [4, 1, 1, 0]
        leave.set()
        await settle()
    assert order == ["a", "a", "b", "a", "b", "c", "a", "a", "a"]
    async with asyncio.timeout(1), semaphore.enter("a"), semaphore.enter("a"), semaphore.enter("d"):
        pass


async def test_nobody_is_a_tenant_too() -> None:
    semaphore, order = TenantSemaphore[str | None](1, 1), list[str | None]()

    async def enter() -> None:
        async with semaphore.enter(None):
            await asyncio.sleep(0)
            order.append(None)

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(enter())
    assert order == [None] * 3


async def test_who_gives_up_waiting_holds_nothing() -> None:
    semaphore, order, leave = TenantSemaphore[str](1, 1), list[str](), asyncio.Event()
    async with semaphore.enter("a"):
        waiting = [asyncio.create_task(entered(semaphore, tenant, order, leave)) for tenant in "abc"]
        await settle()
        waiting[0].cancel()
        await settle()
    waiting[1].cancel()  # it has just been let in
    await settle()
    assert order == ["c"]
    leave.set()
    await asyncio.gather(*waiting, return_exceptions=True)
    async with asyncio.timeout(1), semaphore.enter("a"):
        assert [semaphore.waiting(tenant) for tenant in "abc"] == [0, 0, 0]
