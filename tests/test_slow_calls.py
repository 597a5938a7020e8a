from __future__ import annotations

import asyncio

from sqlalchemy import text

from partywall.core.resources import Resources
from tests.slow_calls import HELD


async def test_a_slow_call_with_a_held_connection_is_found(resources: Resources) -> None:
    async with resources.sessions.begin() as session:
        await asyncio.to_thread(len, "nothing is held yet")
        await session.execute(text("SELECT 1"))
        assert HELD.take() == []
        await asyncio.to_thread(len, "")
        await resources.cache.ping()
        async with resources.sessions.read() as another:
            await another.execute(text("SELECT 1"))
    await asyncio.to_thread(len, "and no more")
    found = HELD.take()
    # A new connection to the cache sends more than its ping.
    assert {each.partition(" while")[0] for each in found} == {
        "asyncio.to_thread", "AbstractConnection.send_packed_command", "another connection",
    }  # fmt: skip


async def test_slow_calls_of_other_tasks_are_ignored(resources: Resources) -> None:
    async with resources.sessions.begin() as session:
        await session.execute(text("SELECT 1"))
        async with asyncio.TaskGroup() as group:
            group.create_task(in_a_thread())
    assert HELD.take() == []


async def in_a_thread() -> None:
    await asyncio.to_thread(len, "")
