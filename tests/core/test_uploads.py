from __future__ import annotations

import asyncio

from partywall.core.tenant import Tenant
from partywall.core.uploads import EACH, LARGE_AT_ONCE, Uploads


async def test_what_is_small_waits_for_nobodys_large_file() -> None:
    uploads = Uploads()
    others = [uploads.hold(Tenant(f"user:{n // EACH}"), small=False) for n in range(LARGE_AT_ONCE)]
    for each in others:
        await each.__aenter__()
    mine = Tenant("user:mine")
    large = asyncio.create_task(uploads.hold(mine, small=False).__aenter__())
    async with uploads.hold(mine, small=True):
        assert not large.done()
    await others[0].__aexit__(None, None, None)
    await large


async def test_one_account_has_so_many_small_ones_at_once() -> None:
    uploads, me = Uploads(), Tenant("user:me")
    held = [uploads.hold(me, small=True) for _ in range(EACH)]
    for each in held:
        await each.__aenter__()
    waiting = asyncio.create_task(uploads.hold(me, small=True).__aenter__())
    await asyncio.sleep(0)
    assert not waiting.done()
    await held[0].__aexit__(None, None, None)
    await waiting
