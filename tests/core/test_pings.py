from __future__ import annotations

import asyncio

import pytest

from partywall.core import pings
from partywall.core.pings import Pings


async def test_a_hanging_ping_fails_and_is_sent_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pings, "PING_TIMEOUT_SECONDS", 0.01)
    asked, ended = 0, asyncio.Event()

    async def hang() -> None:
        nonlocal asked
        asked += 1
        try:
            await asyncio.sleep(3600)
        finally:
            await ended.wait()

    async def answer() -> None: ...

    parts = Pings({"hanging": hang, "there": answer})
    async with asyncio.timeout(60):
        assert (await parts.ask())["hanging"] is False
        assert (await parts.ask())["hanging"] is False
    assert asked == 1
    ended.set()
    await parts.close()


async def test_each_ping_has_its_own_result() -> None:
    async def answer() -> None: ...

    async def refuse() -> None:
        raise ConnectionError

    parts = Pings({"there": answer, "away": refuse})
    assert await parts.ask() == {"there": True, "away": False}
    assert await parts.ask() == {"there": True, "away": False}
    await parts.close()
