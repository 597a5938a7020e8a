from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from partywall.core.recent_use import FORGOTTEN_EACH_SECOND, MUCH_SECONDS, RecentUse
from partywall.core.tenant import Tenant, unauthenticated
from partywall.core.tenant_semaphore import SharedOutError, TenantSemaphore, TooMuchAtOnceError

GREEDY, HONEST, OTHER = (Tenant(name) for name in ("greedy", "honest", "other"))


def full_of(semaphore: TenantSemaphore, tenant: Tenant) -> int:
    taken = 0
    while semaphore.try_acquire(tenant):
        taken += 1
    return taken


async def test_one_tenant_alone_leaves_a_third_free() -> None:
    semaphore = TenantSemaphore(12)
    assert full_of(semaphore, GREEDY) == 8
    assert semaphore.try_acquire(HONEST)


async def test_a_freed_slot_goes_to_the_tenant_with_the_fewest() -> None:
    semaphore = TenantSemaphore(6, each=6)
    full_of(semaphore, GREEDY)
    got: Counter[str] = Counter()

    async def want(tenant: Tenant) -> None:
        await semaphore.acquire(tenant)
        got[tenant.name] += 1

    waiting = [asyncio.create_task(want(tenant)) for tenant in [GREEDY] * 10 + [HONEST] * 3 + [OTHER] * 3]
    await asyncio.sleep(0)
    for _ in range(4):
        semaphore.release(GREEDY)
    await asyncio.sleep(0)
    assert got == {"honest": 2, "other": 2}, "each of three tenants holds two of six slots while all of them wait"
    semaphore.release(HONEST)
    await asyncio.sleep(0)
    assert got["honest"] == 3
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_full_queue_refuses_only_its_own_tenant() -> None:
    semaphore = TenantSemaphore(3, waiting=2)
    full_of(semaphore, GREEDY)
    waiting = [asyncio.create_task(semaphore.acquire(GREEDY)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(TooMuchAtOnceError) as refused:
        await semaphore.acquire(GREEDY)
    assert refused.value.status == 429
    assert refused.value.headers["Retry-After"]
    async with asyncio.timeout(60), semaphore.hold(HONEST):
        pass
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_unauthenticated_callers_share_one_share() -> None:
    semaphore = TenantSemaphore(9)
    taken = sum(semaphore.try_acquire(unauthenticated(f"192.0.2.{number}")) for number in range(9))
    assert taken == 3
    assert full_of(semaphore, HONEST) == 6


async def test_a_timeout_without_own_use_is_a_503() -> None:
    semaphore = TenantSemaphore(2, each=2, max_wait=0.01)
    full_of(semaphore, GREEDY)
    with pytest.raises(SharedOutError) as busy:
        await semaphore.acquire(HONEST)
    assert busy.value.status == 503
    with pytest.raises(TooMuchAtOnceError):
        await semaphore.acquire(GREEDY)
    with pytest.raises(SharedOutError):  # no other tenant is there that could ask for less
        await semaphore.acquire(replace(GREEDY, background=True))
    assert (semaphore.in_use, semaphore.waiting) == (2, 0)


async def test_a_tenant_below_its_share_does_not_get_429() -> None:
    semaphore = TenantSemaphore(6, each=6, max_wait=0.01)
    assert semaphore.try_acquire(HONEST)
    full_of(semaphore, GREEDY)
    with pytest.raises(SharedOutError):
        await semaphore.acquire(HONEST)
    with pytest.raises(TooMuchAtOnceError):
        await semaphore.acquire(GREEDY)


async def test_cancelled_waiters_hold_no_slot() -> None:
    semaphore = TenantSemaphore(1, each=1)
    assert semaphore.try_acquire(GREEDY)
    tasks = [asyncio.create_task(semaphore.acquire(tenant)) for tenant in (HONEST, OTHER, HONEST)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    semaphore.release(GREEDY)
    tasks[1].cancel()  # granted at this very moment
    await asyncio.gather(*tasks[:2], return_exceptions=True)
    async with asyncio.timeout(60):
        await tasks[2]
    assert (semaphore.in_use, semaphore.waiting) == (1, 0)
    semaphore.release(HONEST)
    assert semaphore.in_use == 0


async def test_only_background_tenants_wait_without_a_limit() -> None:
    semaphore = TenantSemaphore(1, each=1, max_wait=0.0, background_waits=True)
    assert semaphore.try_acquire(GREEDY)
    with pytest.raises(TooMuchAtOnceError):
        await semaphore.acquire(GREEDY)
    waiting = asyncio.create_task(semaphore.acquire(replace(HONEST, background=True)))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    semaphore.release(GREEDY)
    await waiting


async def test_heavy_recent_users_get_half_of_the_slots_and_wait_last() -> None:
    now = 0.0
    use = RecentUse(lambda: now)
    semaphore = TenantSemaphore(2, each=1, use=use)
    for tenant in (GREEDY, OTHER):
        use.add(tenant.name, 3 * MUCH_SECONDS)
        use.add(tenant.name, 1.0)
    assert semaphore.try_acquire(GREEDY)
    behind = asyncio.create_task(semaphore.acquire(OTHER))
    await asyncio.sleep(0)
    assert semaphore.try_acquire(HONEST), "one is left"
    before = asyncio.create_task(semaphore.acquire(Tenant("new")))
    await asyncio.sleep(0)
    semaphore.release(GREEDY)
    await before
    assert not behind.done(), "the tenant with less usage is first, however long the other waits"
    now += 1.0 / FORGOTTEN_EACH_SECOND
    assert use.of("other") == pytest.approx(3 * MUCH_SECONDS)
    now += 2 * MUCH_SECONDS / FORGOTTEN_EACH_SECOND
    assert not use.is_much("other")
    semaphore.release(HONEST)
    await behind


async def test_a_heavy_recent_user_has_fewer_slots_and_is_told_so() -> None:
    now = 0.0
    semaphore = TenantSemaphore(8, each=4, each_heavy=1, max_wait=0.01, use=RecentUse(lambda: now))
    semaphore.add_use(GREEDY, 2 * MUCH_SECONDS)
    assert (full_of(semaphore, GREEDY), full_of(semaphore, OTHER)) == (1, 4)
    with pytest.raises(TooMuchAtOnceError):
        await semaphore.acquire(GREEDY)
    now += MUCH_SECONDS / FORGOTTEN_EACH_SECOND
    assert full_of(semaphore, GREEDY) == 3, "it is forgotten"
