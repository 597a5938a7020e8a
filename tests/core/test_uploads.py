from __future__ import annotations

import asyncio

from partywall.core.recent_use import RecentUse
from partywall.core.tenant import Tenant
from partywall.core.uploads import LARGE_AT_ONCE, LARGE_EACH, SMALL_EACH, Uploads

MAX_WAIT = 60.0


async def test_small_uploads_do_not_wait_for_large_ones() -> None:
    uploads = Uploads(RecentUse(), MAX_WAIT)
    others = [uploads.hold(Tenant(f"user:{n // LARGE_EACH}"), small=False) for n in range(LARGE_AT_ONCE)]
    for each in others:
        await each.__aenter__()
    mine = Tenant("user:mine")
    large = asyncio.create_task(uploads.hold(mine, small=False).__aenter__())
    async with uploads.hold(mine, small=True):
        assert not large.done()
    await others[0].__aexit__(None, None, None)
    await large


async def test_small_uploads_are_limited_per_account() -> None:
    uploads, me = Uploads(RecentUse(), MAX_WAIT), Tenant("user:me")
    held = [uploads.hold(me, small=True) for _ in range(SMALL_EACH)]
    for each in held:
        await each.__aenter__()
    waiting = asyncio.create_task(uploads.hold(me, small=True).__aenter__())
    await asyncio.sleep(0)
    assert not waiting.done()
    await held[0].__aexit__(None, None, None)
    await waiting


async def test_heavy_recent_users_leave_slots_for_large_uploads() -> None:
    use = RecentUse()
    uploads, greedy = Uploads(use, MAX_WAIT), [f"user:{n}" for n in range(LARGE_AT_ONCE)]
    for name in greedy:
        use.add(name, 1000.0)
    tasks = [asyncio.create_task(uploads.hold(Tenant(name), small=False).__aenter__()) for name in greedy]
    await asyncio.sleep(0)
    async with uploads.hold(Tenant("user:me"), small=False):
        assert [task.done() for task in tasks] == [True, True, False, False]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
