"""Reads that may take long have their own slots and connections, and PostgreSQL ends them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from partywall.core.db.constants import LONG_READS
from partywall.core.db.engine import create_read_pool, server_settings
from partywall.core.db.long_reads import ReadTimeoutError
from partywall.core.db.read_pool import ReadPool
from partywall.core.tenant import Tenant, set_current_tenant
from partywall.testing.engines import DatabaseUrls

SLOW = "SELECT pg_sleep(600)"
GREEDY, GREEDY_TOO, HONEST = (Tenant(f"account:{name}") for name in ("greedy", "greedy-too", "honest"))


@pytest.fixture
async def pool(database: DatabaseUrls) -> AsyncIterator[ReadPool]:
    pool = await create_read_pool(database.runtime, size=1, settings=server_settings("tests", 15_000))
    yield pool
    pool.terminate()


async def ask(pool: ReadPool, tenant: Tenant, query: str = "SELECT 1") -> object:
    set_current_tenant(tenant)
    return await pool.fetchval(query)


async def until_held(pool: ReadPool, slots: int) -> None:
    while pool.slots.in_use < slots:
        await asyncio.sleep(0)


async def test_short_reads_never_wait_behind_long_ones(pool: ReadPool) -> None:
    slow = [asyncio.create_task(ask(pool.long, each, SLOW)) for each in [GREEDY, GREEDY_TOO] * LONG_READS]
    await until_held(pool.long, LONG_READS)
    assert await ask(pool, HONEST) == 1
    await cancelled(*slow)


async def test_one_account_leaves_slots_to_others(pool: ReadPool) -> None:
    slow = [asyncio.create_task(ask(pool.long, GREEDY, SLOW)) for _ in range(LONG_READS)]
    await until_held(pool.long, LONG_READS // 2)
    assert await ask(pool.long, HONEST) == 1
    assert pool.long.slots.in_use == LONG_READS // 2
    await cancelled(*slow)


async def test_a_query_that_takes_too_long_is_cancelled_and_reported(database: DatabaseUrls) -> None:
    pool = await create_read_pool(database.runtime, size=1, settings=server_settings("tests", 100))
    with pytest.raises(ReadTimeoutError) as ended:
        await ask(pool.long, HONEST, SLOW)
    pool.terminate()
    assert (ended.value.status, ended.value.headers["Retry-After"]) == (503, "5")
    assert pool.long.slots.in_use == 0


async def test_a_cancelled_caller_does_not_free_its_slot(pool: ReadPool) -> None:
    """A query that PostgreSQL still runs keeps its slot, whether its caller waits or not."""
    await ask(pool.long, GREEDY)  # then there is a connection, and the next query starts as soon as it has its slot
    slow = asyncio.create_task(ask(pool.long, GREEDY, SLOW))
    await until_held(pool.long, 1)
    await cancelled(slow)
    assert pool.long.slots.in_use == 1


async def test_long_reads_have_their_own_timeout_in_the_server(pool: ReadPool) -> None:
    assert [await ask(each, HONEST, "SHOW statement_timeout") for each in (pool, pool.long)] == ["15s", "3s"]


async def cancelled(*tasks: asyncio.Task[object]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
